// Deletes delivered rows, by id and event id.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "postgres/client.hpp"
#include "sql/confirmation.hpp"

namespace outbox::postgres {

// "0d5f3c52-9a0e-..." as the 16 bytes that the server keeps; empty where the text is none.
[[nodiscard]] std::string ParseUuid(std::string_view text);

class Confirmation : public sql::Confirmation {
 public:
  // Prepares its statements: the tables must be there.
  Confirmation(Client& client, const sql::Tables& tables);

 private:
  Kept Delete(Rows rows, For what) override;
  [[noreturn]] void RefuseLocked(const Client::LastFailure& failure, Rows rows);

  Client& client_;
  const sql::Tables& tables_;
  std::chrono::steady_clock::time_point short_waits_until_;  // until then a confirm waits for locks only kShortLockWait
};

}  // namespace outbox::postgres
