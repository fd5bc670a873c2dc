// Deletes delivered rows, by id and event id.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "mysql/client.hpp"
#include "mysql/list.hpp"
#include "outbox/adapter.hpp"

namespace outbox::mysql {

class Confirmation {
 public:
  // `troubled`: there may be failures.
  Confirmation(Client& client, const sql::Tables& tables, const std::atomic<bool>& troubled)
      : client_(client), tables_(tables), troubled_(troubled) {}

  void Confirm(ConfirmedRows rows, KeptRows& kept);
  // Of outbox.admin/1; `rows` none = those that are due.
  std::uint64_t RemoveDelivered(RowIds rows, Millis again);

 private:
  enum class Of : std::uint8_t { kConfirm, kRemoval };
  // Of rows ascending by id; answers which are still there.
  [[nodiscard]] std::vector<std::uint8_t> Delete(std::span<const ListedRow> rows, Of what);
  // Of a confirm, waiting for locks; how many are gone.
  [[nodiscard]] std::uint64_t DeleteAll(std::span<const ListedRow> rows);
  // Those that nobody has locked. Throws OUTBOX_REFUSED if somebody has one.
  [[nodiscard]] std::vector<std::uint8_t> DeleteUnlocked(std::span<const ListedRow> rows, Of what);
  [[nodiscard]] std::vector<std::uint8_t> StillThere(std::span<const ListedRow> rows);

  Client& client_;
  const sql::Tables& tables_;
  const std::atomic<bool>& troubled_;
  std::set<long long> locked_;  // were so, and are asked for again, fewer at a time
};

}  // namespace outbox::mysql
