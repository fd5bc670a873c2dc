// Deletes delivered rows, by id and event id.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "mysql/list.hpp"
#include "mysql/wire.hpp"
#include "outbox/adapter.hpp"

namespace outbox::mysql {

class Confirmation {
 public:
  // `troubled`: there may be failures.
  Confirmation(Wire& wire, const sql::Tables& tables, const std::atomic<bool>& troubled)
      : wire_(wire), tables_(tables), troubled_(troubled) {}

  void Confirm(ConfirmedRows rows, KeptRows& kept);
  // Of outbox.dead/1; `rows` none = those that are due.
  std::uint64_t RemoveDelivered(RowIds rows, Millis again);

 private:
  // Ascending by id. Answers which are still there.
  [[nodiscard]] std::vector<std::uint8_t> Delete(std::span<const ListedRow> rows, bool forgets, bool look_anyway);
  [[nodiscard]] std::uint64_t DeleteOnce(std::span<const ListedRow> rows, bool forgets);

  Wire& wire_;
  const sql::Tables& tables_;
  const std::atomic<bool>& troubled_;
};

}  // namespace outbox::mysql
