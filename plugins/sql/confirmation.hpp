// Removes delivered rows from the outbox, and records the rows that the database refuses to delete.
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

// The base class from which each database derives its own class, to provide the DELETE statement. The adapter owns the
// object. Thread: the thread of the session.
class Confirmation {
 public:
  // REQUIRES: all arguments outlive this object.
  Confirmation(Session& db, const Tables& tables, const Dialect& dialect)
      : db_(db), tables_(tables), dialect_(dialect) {}
  virtual ~Confirmation() = default;
  Confirmation(const Confirmation&) = delete;
  Confirmation& operator=(const Confirmation&) = delete;

  // Confirm() implements StorageAdapter::ConfirmEvent, and RemoveDelivered() implements Admin::RemoveDelivered.
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

  // Deletes rows. They are given in ascending order of their ids, so that two relays that delete the same rows lock
  // them in the same order. Returns which rows are still there after the commit. If fewer rows were deleted than given,
  // that proves nothing: another relay may have been faster, or somebody may have deleted a row by hand. Only a later
  // snapshot that still shows a row proves that the row was kept. A removal always checks such a snapshot, because a
  // trigger may put a row back.
  //
  // Errors: throws OUTBOX_REFUSED if the database refuses to delete one of the rows, or if the lock of one of them is
  // not obtained in time.
  virtual Kept Delete(Rows rows, For what) = 0;

  // Deletes the failure records of these rows. REQUIRES: there is at least one row. A database overrides this function
  // if it executes "in (...)" on a small table as a scan, which waits for every lock in the table.
  virtual void Forget(Rows rows);

  // Returns one entry for each of `rows`: 1 if its id is in `found`.
  [[nodiscard]] static Kept StillThere(Rows rows, std::span<const long long> found);

 private:
  // Tries to remove all rows at once, because the obstacle may be gone. If the database refuses, tries each half of the
  // rows separately, and so on, until half of the call's time limit has passed. Returns how many rows are gone.
  std::uint64_t Remove(Rows rows, For what, Millis again);
  void Postpone(Rows rows, Millis again, const std::string& why);
  // Runs `sql` for the failure records of these rows. `values` are the values of its parameters.
  void Change(const char* sql, Rows rows, const std::vector<Value>& values);

  Session& db_;
  const Tables& tables_;
  const Dialect& dialect_;
};

}  // namespace outbox::sql
