// Deletes delivered rows, by id and event id.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/client.hpp"
#include "sql/removal.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// "0d5f3c52-9a0e-..." as the 16 bytes that the server keeps; empty where the text is none.
[[nodiscard]] std::string ParseUuid(std::string_view text);

class Confirmation {
 public:
  // Prepares its statements: the tables must be there.
  Confirmation(Client& client, const sql::Tables& tables);

  void Confirm(ConfirmedRows rows, KeptRows& kept);
  // Of outbox.admin/1; `rows` none = those that are due.
  std::uint64_t RemoveDelivered(RowIds rows, Millis again);

 private:
  struct Row {
    long long id;
    std::string uuid;
    std::size_t place;
  };
  // Runs a statement that deletes `rows`, ascending by id, and answers whose are still there.
  [[nodiscard]] std::vector<std::uint8_t> Delete(const char* statement, const std::vector<Row>& rows,
                                                 bool look_anyway = false);
  [[noreturn]] void RefuseLocked(const Client::LastFailure& failure, const std::vector<Row>& rows);

  Client& client_;
  const sql::Tables& tables_;
  std::chrono::steady_clock::time_point short_waits_until_;  // until then a confirm waits for locks only kShortLockWait
};

}  // namespace outbox::postgres
