// Deletes delivered rows by id and event id. A row is first looked for at the place (ctid) that it had when it was
// read, then by the primary key.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "postgres/client.hpp"
#include "postgres/row_places.hpp"
#include "sql/confirmation.hpp"

namespace outbox::postgres {

// Converts a UUID such as "0d5f3c52-9a0e-..." to the 16 bytes that the server stores. Returns "" if the text is not a
// UUID.
[[nodiscard]] std::string ParseUuid(std::string_view text);

class Confirmation : public sql::Confirmation {
 public:
  // Prepares the statements. REQUIRES: the tables exist.
  Confirmation(Client& client, const sql::Tables& tables, RowPlaces& places);

 private:
  Kept Delete(Rows rows, For what) override;
  // Deletes the rows, and returns the number of rows that were deleted.
  std::size_t DeleteRows(Rows rows, For what);
  [[noreturn]] void RefuseLocked(const Client::LastFailure& failure, Rows rows);

  Client& client_;
  const sql::Tables& tables_;
  RowPlaces& places_;
  // Until this time, a confirm waits for a lock no longer than kShortLockWait.
  std::chrono::steady_clock::time_point short_waits_until_;
};

}  // namespace outbox::postgres
