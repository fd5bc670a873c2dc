// Removes delivered rows from the outbox, and keeps a record of those that the database refuses to delete.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/dialect.hpp"
#include "sql/row_id.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// Base class: each database provides the DELETE statement. Owned by the adapter. Thread: the thread of the session.
class Confirmation {
 public:
  // REQUIRES: all arguments outlive this object.
  Confirmation(Session& db, const Tables& tables, const Dialect& dialect)
      : db_(db), tables_(tables), dialect_(dialect) {}
  virtual ~Confirmation() = default;
  Confirmation(const Confirmation&) = delete;
  Confirmation& operator=(const Confirmation&) = delete;

  // Implement StorageAdapter::ConfirmEvent and Admin::RemoveDelivered.
  void Confirm(ConfirmedRows rows, KeptRows& kept);
  std::uint64_t RemoveDelivered(RowIds rows, Millis again);

 protected:
  using Rows = std::span<const OutboxRow>;
  using Kept = std::vector<std::uint8_t>;  // one entry for each row, in the same order: 1 = the row is still there
  enum class For : std::uint8_t {
    kConfirm,          // delete the rows and the records of their failures
    kRelaysRemoval,    // delete the rows only; called by a relay, which has other work and must not wait long for locks
    kOperatorsRemoval  // delete the rows only; called by an operator
  };

  // Deletes rows, which are given in ascending order of their ids: two relays that delete the same rows lock them in
  // the same order. Returns which rows are still there after the commit. A number of deleted rows that is too small
  // proves nothing: another relay may have been faster, or somebody may have deleted a row by hand. Only a later
  // snapshot that still shows a row proves that the row was kept. A removal always checks such a snapshot, because a
  // trigger may put a row back.
  //
  // Errors: throws OUTBOX_REFUSED if the database refuses to delete one of the rows, or if the lock of one of them is
  // not obtained in time.
  virtual Kept Delete(Rows rows, For what) = 0;

  // Deletes the records of these failures. REQUIRES: there is at least one row. A database overrides it if its "in
  // (...)" scans a small table and waits for every lock there.
  virtual void Forget(Rows rows);

  // Marks those of `rows` whose id is in `found`.
  [[nodiscard]] static Kept StillThere(Rows rows, std::span<const long long> found);

 private:
  // Tries to remove all rows at once, because the obstacle may be gone; if that is refused, it divides the rows into
  // halves as long as the call has time. Returns how many rows are gone.
  std::uint64_t Remove(Rows rows, For what, Millis again);
  void Postpone(Rows rows, Millis again, const std::string& why);
  // Runs `sql` for the records of these rows. `values` are the values of its parameters.
  void Change(const char* sql, Rows rows, const std::vector<Value>& values);

  Session& db_;
  const Tables& tables_;
  const Dialect& dialect_;
};

}  // namespace outbox::sql
