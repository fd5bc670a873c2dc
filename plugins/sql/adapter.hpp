// The base class of the adapters of all SQL databases. It implements leases, poison marks, emitting, the functions for
// operators and for tests, and the common parts of reading, confirming and recording failures.
//
// Each plugin derives its own adapter from this class and provides the connection (Session), the SQL fragments
// (Dialect), the schema, and the statements that read, delete and insert events and that record failures.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "outbox/adapter.hpp"
#include "sql/confirmation.hpp"
#include "sql/dialect.hpp"
#include "sql/leases.hpp"
#include "sql/lookout.hpp"
#include "sql/poison_marks.hpp"
#include "sql/schema.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"
#include "sql/version_gate.hpp"

namespace outbox::sql {

// A failed event in the form in which it is recorded. `reason` and `error` are valid UTF-8 and fit their columns.
struct FailedRow {
  long long id = 0;
  std::string_view event_id;
  std::string reason, error;
  Disposition disposition = Disposition::kRetry;
  Millis after{0};
  // Returns the delay in milliseconds until the next attempt (`after`) if the disposition is `wanted`, otherwise
  // nothing.
  [[nodiscard]] std::optional<long long> AfterIf(Disposition wanted) const {
    return disposition == wanted ? std::optional<long long>(after.count()) : std::nullopt;
  }
};

// Base class of the adapters of SQL databases. One object is one session of a store. Thread: the thread of the
// session, except Cancel, which any thread may call.
class Adapter : public StorageAdapter,
                public outbox::Leases,
                public Poison,
                public Emit,
                public outbox::Columns,
                public Schema,
                public Stats,
                public Admin,
                public Testing {
 public:
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override;
  void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) override;
  void ConfirmFailed(Failures failures) override;

  Lease Heartbeat(std::string_view relay_id, Millis lease) override;
  void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool deregister) override;
  bool WasLost() override;
  std::uint32_t Mark(std::optional<RowId> row) override;

  void BeginEmit() override;
  void Insert(Events events) override;
  void EndEmit(bool commit) override;

  // Returns the captured columns; none if the outbox captures no table.
  std::vector<outbox::Column> DescribeColumns() override;
  void VerifySource() override;

  void ApplySchema(const SchemaOptions& options) override;

  Statistics ReadStats() override;

  void List(const Query& query, const Found& found) override;
  std::uint64_t Requeue(RowIds rows) override;
  std::uint64_t Discard(RowIds rows) override;
  std::uint64_t DiscardBlocked(RowIds rows) override;
  std::uint64_t RetryNow(RowIds rows) override;
  std::uint64_t RemoveDelivered(RowIds rows, Millis again) override;

  void Reset() override;
  void ExpireLeases() override;
  void MakeRetriesDue() override;
  TestState StateOf(std::string_view event_id) override;

 protected:
  // REQUIRES: `dialect` outlives this object.
  Adapter(Tables tables, const Dialect& dialect);

  [[nodiscard]] const Tables& tables() const { return tables_; }

  // Returns the connection and sets its deadline to the deadline of the current call. Every call of a running relay
  // begins with Db().
  virtual Session& Db() = 0;
  // Returns the connection for a call of an operator or a test, and sets its deadline as Db() does. A pooler may share
  // this connection with other clients, so such a call must leave no state behind on the connection.
  virtual Session& Borrowed() { return Db(); }
  // Returns true if the database ignores case when it compares table names. REQUIRES: the connection is open.
  [[nodiscard]] virtual bool IgnoresCase() const = 0;

  // REQUIRES for all functions below: the current call has called Db() or Borrowed() before.

  // Checks that reads reach all rows. Errors: throws OUTBOX_BAD_CONFIG if something hides rows (such as a view in the
  // place of a table), or if rows are outside the range that is read (such as rows whose id is below the first id that
  // is read).
  virtual void RequireAllRows() = 0;
  // Implements StorageAdapter::ReserveNewEvents.
  virtual void Read(const ReserveRequest& request, BatchBuilder& batch) = 0;
  // Returns the session's Confirmation, which is created on first use.
  virtual Confirmation& Confirming() = 0;
  // Records the failures in one transaction, all or nothing. A failure whose event stays in the outbox counts one
  // attempt; a dead event moves to the dead letters. A failure is ignored unless a row has both its row id and its
  // event id. Returns false, and changes nothing, if the shard is not leased under the token of the call.
  virtual bool RecordFailures(std::span<const FailedRow> rows) = 0;
  // Returns the dialect that List() uses. Its fragments `payload` and `payload_size` fit the type of this outbox's
  // payload column.
  virtual const Dialect& Listing() { return dialect_; }
  // Returns the SQL expression with which Requeue() converts the payload of a dead letter to the type of the outbox's
  // payload column.
  virtual std::string PayloadOfDead() { return "payload"; }
  // PrepareInsert() is called before the transaction of an emit begins, InsertAll() within that transaction. REQUIRES:
  // the headers of each event are absent or a JSON object.
  virtual void PrepareInsert() {}
  virtual void InsertAll(Events events) = 0;
  // Completes the descriptions of the captured columns. `columns` has one entry for each of tables().captured->columns,
  // in the same order; the name and the role of each entry are already set. Errors: throws OUTBOX_BAD_CONFIG if a
  // column does not exist.
  virtual void Describe(std::vector<outbox::Column>& /*columns*/) {}
  // Implements Columns::VerifySource. REQUIRES: there is a captured table.
  virtual void VerifyCapture() {}
  // Returns the numbers for ReadStats(). A database may override this function to read all of them from one snapshot.
  virtual Statistics Count(Session& db);
  // Applies the schema. ApplySchema() calls this function, and explains an error for which IsDenied() is true.
  virtual void Migrate(const SchemaOptions& options) = 0;
  // Returns true if the error means that the database user lacks a privilege.
  [[nodiscard]] virtual bool IsDenied(const Error&) const { return false; }

  // Determines when the next check for hidden rows is due.
  Lookout lookout_;

 private:
  // Checks from time to time whether something hides rows, because a view or a policy may be added while the relay
  // runs. Hidden rows cause no error: reads return no rows, so the outbox looks empty and its events look deleted.
  void LookForHiddenRows();
  // Checks, once per session, that the companion tables have the schema version of this code and belong to this outbox.
  void RequireOwn(Statements& db, Access access = Access::kWrites);
  // Calls RequireOwn() with the connection of Borrowed(), and returns that connection.
  Session& Own(Access access = Access::kWrites);
  // Runs the statements of `change` for the given rows and returns how many events were changed. `payload` replaces the
  // placeholder [payload].
  std::uint64_t Apply(Session& db, const Change& change, RowIds rows, const std::string& payload = {});

  const Tables tables_;
  const Dialect& dialect_;
  const sql::Leases leases_;
  const PoisonMarks poison_marks_;
  bool own_ = false;
  // Checks the schema version before the first emit. The user who emits may lack privileges on the companion tables;
  // the check is then skipped.
  VersionGate version_;
};

}  // namespace outbox::sql
