// Deletes delivered rows, by id and event id.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>

#include "mysql/client.hpp"
#include "sql/confirmation.hpp"

namespace outbox::mysql {

class Confirmation : public sql::Confirmation {
 public:
  // `troubled`: there may be failures.
  Confirmation(Client& client, const sql::Tables& tables, const std::atomic<bool>& troubled);

 private:
  Kept Delete(Rows rows, For what) override;
  void Forget(Rows rows) override;
  // As many as fit into one statement.
  [[nodiscard]] Kept DeleteSome(Rows rows, For what);
  // Of a confirm, waiting for locks; how many are gone.
  [[nodiscard]] std::uint64_t DeleteAll(Rows rows);
  // Those that nobody has locked. Throws OUTBOX_REFUSED if somebody has one.
  [[nodiscard]] Kept DeleteUnlocked(Rows rows, For what);
  [[nodiscard]] Kept LookFor(Rows rows);

  Client& client_;
  const sql::Tables& tables_;
  const std::atomic<bool>& troubled_;
  std::set<long long> locked_;  // were so, and are asked for again, fewer at a time
};

}  // namespace outbox::mysql
