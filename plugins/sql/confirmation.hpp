// Removes delivered rows, and keeps the record of those that the database did not let go.
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

// A database brings the delete. Thread: that of the session.
class Confirmation {
 public:
  // REQUIRES: all live as long as this does.
  Confirmation(Session& db, const Tables& tables, const Dialect& dialect)
      : db_(db), tables_(tables), dialect_(dialect) {}
  virtual ~Confirmation() = default;
  Confirmation(const Confirmation&) = delete;
  Confirmation& operator=(const Confirmation&) = delete;

  // As StorageAdapter::ConfirmEvent and Admin::RemoveDelivered.
  void Confirm(ConfirmedRows rows, KeptRows& kept);
  std::uint64_t RemoveDelivered(RowIds rows, Millis again);

 protected:
  using Rows = std::span<const OutboxRow>;
  using Kept = std::vector<std::uint8_t>;  // of each row in its place: 1 = it is still there
  enum class For : std::uint8_t {
    kConfirm,          // deletes the rows and their failures
    kRelaysRemoval,    // deletes the rows alone; a relay has more to do than to wait for them
    kOperatorsRemoval  // deletes the rows alone
  };

  // Rows ascending by id: of two relays that delete the same ones, both meet them in the same order. Answers which are there
  // after the commit. A count of deleted rows that is too small says nothing by itself: another relay may have been quicker,
  // or somebody has deleted a row by hand; what a later snapshot still shows is a fact. In a removal the latter is asked for in
  // any case: a trigger may put a row back.
  //
  // Errors: throws OUTBOX_REFUSED where the database does not let one of them go, or where it has to be waited for too long.
  virtual Kept Delete(Rows rows, For what) = 0;

  // Deletes the record of these rows, of which there is one at least. A database whose "in (...)" scans a small table, and waits
  // for whatever is locked there, brings its own.
  virtual void Forget(Rows rows);

  // Of `rows`, those whose id is in `found`.
  [[nodiscard]] static Kept StillThere(Rows rows, std::span<const long long> found);

 private:
  // All at once where the obstacle is gone; else by halves, as far as the time allows. How many are gone.
  std::uint64_t Remove(Rows rows, For what, Millis again);
  void Postpone(Rows rows, Millis again, const std::string& why);
  // Runs the statement for the record of these rows. `values` are those of its parameters.
  void Change(const char* sql, Rows rows, const std::vector<Value>& values);

  Session& db_;
  const Tables& tables_;
  const Dialect& dialect_;
};

}  // namespace outbox::sql
