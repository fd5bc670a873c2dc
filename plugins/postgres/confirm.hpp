// Deletes delivered rows, by id and event id: where they lay when they were read, else by the primary key.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "postgres/client.hpp"
#include "postgres/row_places.hpp"
#include "sql/confirmation.hpp"

namespace outbox::postgres {

// "0d5f3c52-9a0e-..." as the 16 bytes that the server keeps; empty where the text is none.
[[nodiscard]] std::string ParseUuid(std::string_view text);

class Confirmation : public sql::Confirmation {
 public:
  // Prepares its statements: the tables must be there.
  Confirmation(Client& client, const sql::Tables& tables, RowPlaces& places);

 private:
  Kept Delete(Rows rows, For what) override;
  // Returns how many of them it has deleted.
  std::size_t DeleteRows(Rows rows, For what);
  [[noreturn]] void RefuseLocked(const Client::LastFailure& failure, Rows rows);

  Client& client_;
  const sql::Tables& tables_;
  RowPlaces& places_;
  std::chrono::steady_clock::time_point short_waits_until_;  // until then a confirm waits for locks only kShortLockWait
};

}  // namespace outbox::postgres
