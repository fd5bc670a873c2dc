// What the adapters of all SQL databases share: leases, poison marks, the frame of reading, confirming, emitting and of the
// record of failures, what an operator asks for, and what the tests do.
//
// A database brings a session, a Dialect, how it reads, deletes, inserts and records failures, and its schema.
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

// A failed event whose row id is one. Its texts are UTF-8 and fit their columns.
struct FailedRow {
  long long id = 0;
  std::string_view event_id;
  std::string reason, error;
  Disposition disposition = Disposition::kRetry;
  Millis after{0};
  // Milliseconds until it is due, if it has this disposition.
  [[nodiscard]] std::optional<long long> AfterIf(Disposition wanted) const {
    return disposition == wanted ? std::optional<long long>(after.count()) : std::nullopt;
  }
};

// Thread: that of the session, except Cancel.
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

  // None where nothing is captured.
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
  // REQUIRES: `dialect` lives as long as this does.
  Adapter(Tables tables, const Dialect& dialect);

  [[nodiscard]] const Tables& tables() const { return tables_; }

  // At the start of every call of a relay that runs: the session, with the time limit of the call.
  virtual Session& Db() = 0;
  // At the start of every call of an operator or a test: likewise; the session may be shared with others.
  virtual Session& Borrowed() { return Db(); }
  // How the database compares names of tables. REQUIRES: the session is there.
  [[nodiscard]] virtual bool IgnoresCase() const = 0;

  // What follows is part of a call that Db() or Borrowed() has begun.

  // Throws OUTBOX_BAD_CONFIG where rows are hidden, by a view in a table's place say, or are such that no read reaches them.
  virtual void RequireAllRows() = 0;
  // As StorageAdapter::ReserveNewEvents.
  virtual void Read(const ReserveRequest& request, BatchBuilder& batch) = 0;
  // The session's; made when it is needed first.
  virtual Confirmation& Confirming() = 0;
  // All or nothing: a failure that is kept counts one attempt, and a dead event moves to the dead letters. A row is meant only
  // where its event id fits too. False = changed nothing, as the shard is not leased under the token of the call.
  virtual bool RecordFailures(std::span<const FailedRow> rows) = 0;
  // For List: the dialect, with `payload` and `payload_size` for the type that the column has here.
  virtual const Dialect& Listing() { return dialect_; }
  // For Requeue: an expression for the column payload of {dead}, as the outbox's own column takes it.
  virtual std::string PayloadOfDead() { return "payload"; }
  // Before the transaction of emit, and in it. Their headers are JSON objects.
  virtual void PrepareInsert() {}
  virtual void InsertAll(Events events) = 0;
  // The columns of the captured table, one for each of tables().captured->columns, in that order. Name and role come with
  // them. Throws OUTBOX_BAD_CONFIG where one is not there.
  virtual void Describe(std::vector<outbox::Column>& /*columns*/) {}
  // As Columns::VerifySource. REQUIRES: there is a captured table.
  virtual void VerifyCapture() {}
  // The numbers of ReadStats. A database may wrap it, to read all of them from one snapshot.
  virtual Statistics Count(Session& db);
  // ApplySchema, without the explanation of a refusal.
  virtual void Migrate(const SchemaOptions& options) = 0;
  // The user has no right to do this.
  [[nodiscard]] virtual bool IsDenied(const Error&) const { return false; }

  Lookout lookout_;  // for hidden rows

 private:
  // Where rows are hidden, reads find nothing and say nothing, and an outbox is shown as empty and its events as gone. What
  // hides them may come while the relay runs: this looks every now and then.
  void LookForHiddenRows();
  // Once a session: the companion tables have this version and are this outbox's.
  void RequireOwn(Statements& db, Access access = Access::kWrites);
  // Borrowed, for what needs that.
  Session& Own(Access access = Access::kWrites);
  // How many events were changed. `payload` is for the place [payload].
  std::uint64_t Apply(Session& db, const Change& change, RowIds rows, const std::string& payload = {});

  const Tables tables_;
  const Dialect& dialect_;
  const sql::Leases leases_;
  const PoisonMarks poison_marks_;
  bool own_ = false;
  VersionGate version_;  // of emit, which may have no rights on the companions
};

}  // namespace outbox::sql
