// Deletes delivered rows, by row id and event id.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>

#include "mysql/client.hpp"
#include "sql/confirmation.hpp"

namespace outbox::mysql {

// Runs the DELETE statements of one session. The adapter owns the object. Thread: the thread of the session.
class Confirmation : public sql::Confirmation {
 public:
  // `troubled` is true while the outbox may contain failed events. REQUIRES: all arguments outlive this object.
  Confirmation(Client& client, const sql::Tables& tables, const std::atomic<bool>& troubled);

 private:
  Kept Delete(Rows rows, For what) override;
  void Forget(Rows rows) override;
  // Deletes one portion of the rows of a call, and returns for each row 1 if it still exists, otherwise 0. `what` is
  // the purpose of the call. REQUIRES: `rows` has at most kIdsPerDelete elements.
  [[nodiscard]] Kept DeleteSome(Rows rows, For what);
  // Deletes the rows of a confirm, and waits for rows that other transactions have locked. Returns the number of
  // deleted rows.
  [[nodiscard]] std::uint64_t DeleteAll(Rows rows);
  // Deletes the elements of `rows` that no other transaction has locked, and returns for each row 1 if it still exists,
  // otherwise 0. Errors: throws OUTBOX_REFUSED if a row remains because another transaction has locked it.
  [[nodiscard]] Kept DeleteUnlocked(Rows rows, For what);
  // Returns for each row 1 if it still exists, otherwise 0.
  [[nodiscard]] Kept LookFor(Rows rows);

  Client& client_;
  const sql::Tables& tables_;
  const std::atomic<bool>& troubled_;
  // Ids of rows that were locked by other transactions. The relay confirms these rows again, fewer at a time.
  std::set<long long> locked_;
};

}  // namespace outbox::mysql
