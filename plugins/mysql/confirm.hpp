// Deletes delivered rows, by row id and event id.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>

#include "mysql/client.hpp"
#include "sql/confirmation.hpp"

namespace outbox::mysql {

// The DELETE statements of a session. Owned by the adapter. Thread: the thread of the session.
class Confirmation : public sql::Confirmation {
 public:
  // `troubled` is true if there may be failed events. REQUIRES: all arguments outlive this object.
  Confirmation(Client& client, const sql::Tables& tables, const std::atomic<bool>& troubled);

 private:
  Kept Delete(Rows rows, For what) override;
  void Forget(Rows rows) override;
  // Deletes one portion of the rows. REQUIRES: there are at most kIdsPerDelete rows.
  [[nodiscard]] Kept DeleteSome(Rows rows, For what);
  // Deletes the rows of a confirm and waits for their locks. Returns the number of rows that were deleted.
  [[nodiscard]] std::uint64_t DeleteAll(Rows rows);
  // Deletes the rows that no other transaction has locked. Errors: throws OUTBOX_REFUSED if one of them is locked.
  [[nodiscard]] Kept DeleteUnlocked(Rows rows, For what);
  // Returns which of the rows are still there.
  [[nodiscard]] Kept LookFor(Rows rows);

  Client& client_;
  const sql::Tables& tables_;
  const std::atomic<bool>& troubled_;
  // Ids of rows that were locked by other transactions. The relay confirms these rows again, fewer at a time.
  std::set<long long> locked_;
};

}  // namespace outbox::mysql
