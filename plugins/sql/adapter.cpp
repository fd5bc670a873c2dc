#include "sql/adapter.hpp"

#include <nlohmann/json.hpp>

#include "outbox/text.hpp"
#include "sql/counts.hpp"
#include "sql/event_listing.hpp"
#include "sql/row_id.hpp"
#include "sql/sql_template.hpp"

namespace outbox::sql {
namespace {

constexpr std::size_t kMaxError = 1000;

constexpr const char* kExpire = "update {relay} set expires = [later]";
// next_try is assigned first: MySQL evaluates assignments from left to right, and each assignment reads the values that
// earlier ones have assigned.
constexpr const char* kMakeDue = R"(
update {retry} set next_try = case when remove_at is null then [now] end,
  remove_at = case when remove_at is not null then [now] end
where next_try is not null or remove_at is not null)";

void EndTransaction(Session& db) {
  if (db.InTransaction()) db.Script("rollback");
}

}  // namespace

Adapter::Adapter(Tables tables, const Dialect& dialect)
    : tables_(std::move(tables)), dialect_(dialect), leases_(tables_, dialect), poison_marks_(tables_, dialect) {}

void Adapter::LookForHiddenRows() {
  if (!lookout_.Due()) return;
  RequireAllRows();
  lookout_.Looked();
}

void Adapter::RequireOwn(Statements& db, Access access) {
  if (!own_) own_ = sql::RequireOwn(db, tables_, IgnoresCase(), access);
}

Session& Adapter::Own(Access access) {
  Session& db = Borrowed();
  RequireOwn(db, access);
  return db;
}

void Adapter::ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) {
  Db();
  LookForHiddenRows();
  Read(request, batch);
}

void Adapter::ConfirmEvent(ConfirmedRows rows, KeptRows& kept) {
  Db();
  Confirming().Confirm(rows, kept);
}

std::uint64_t Adapter::RemoveDelivered(RowIds rows, Millis again) {
  Db();
  return Confirming().RemoveDelivered(rows, again);
}

void Adapter::ConfirmFailed(Failures failures) {
  Db();
  std::vector<FailedRow> rows;
  for (const Failure& f : failures)
    rows.push_back({f.row_id.number(), f.event_id, ToText(f.reason, dialect_.max_reason), ToText(f.text, kMaxError),
                    f.disposition, f.retry_after});
  if (!RecordFailures(rows)) throw NotLeased(call());
}

Lease Adapter::Heartbeat(std::string_view relay_id, Millis lease) {
  Session& db = Db();
  RequireOwn(db);
  Lease held = leases_.Heartbeat(db, std::string(relay_id), lease);
  // A relay that owns a shard has another session, which reads the outbox and checks for hidden rows.
  if (held.owned.empty()) LookForHiddenRows();
  return held;
}

void Adapter::ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool deregister) {
  leases_.Return(Db(), std::string(relay_id), shards, deregister);
}

bool Adapter::WasLost() { return poison_marks_.WasLost(Db(), call()); }

std::uint32_t Adapter::Mark(std::optional<RowId> row) { return poison_marks_.Mark(Db(), call(), row); }

void Adapter::BeginEmit() {
  if (tables_.captured)
    throw Error(OUTBOX_BAD_CONFIG, "the rows of " + tables_.event + " are inserted by the trigger on " +
                                       tables_.source +
                                       "; an event inserted directly would lack the columns that its"
                                       " record is made from; insert into " +
                                       tables_.source + " instead");
  Session& db = Borrowed();
  EndTransaction(db);
  version_.Check(db, tables_);
  PrepareInsert();
  db.Script(dialect_.begin);
}

void Adapter::Insert(Events events) {
  if (!Borrowed().InTransaction()) throw Error(OUTBOX_INTERNAL, "Insert was called outside a transaction of BeginEmit");
  // Invalid headers are refused here, where the caller can still correct them. The relay records an event with invalid
  // headers as failed.
  for (const Event& e : events)
    if (e.headers && !nlohmann::json::parse(*e.headers, nullptr, false).is_object())
      throw Error(OUTBOX_BAD_DATA, "headers must be a JSON object");
  InsertAll(events);
}

void Adapter::EndEmit(bool commit) {
  Session& db = Borrowed();
  if (commit && !db.CanCommit()) {
    EndTransaction(db);
    throw Error(OUTBOX_BAD_DATA, "the transaction has failed and was rolled back");
  }
  if (commit) return db.Script("commit");
  EndTransaction(db);
}

std::vector<outbox::Column> Adapter::DescribeColumns() {
  std::vector<outbox::Column> columns;
  if (!tables_.captured) return columns;
  for (const MappedColumn& mapped : tables_.captured->columns) {
    outbox::Column& column = columns.emplace_back();
    column.name = mapped.name;
    column.role = mapped.role;
  }
  (void)Borrowed();
  Describe(columns);
  return columns;
}

void Adapter::VerifySource() {
  if (!tables_.captured) return;
  (void)Borrowed();
  VerifyCapture();
}

void Adapter::ApplySchema(const SchemaOptions& options) {
  own_ = false;
  try {
    Migrate(options);
  } catch (const Error& error) {
    if (!IsDenied(error)) throw;
    throw Error(OUTBOX_BAD_CONFIG, dialect_.server + ": " + kMayNotMigrate, error.sqlstate, error.native_code);
  }
}

Statistics Adapter::ReadStats() {
  Session& db = Own(Access::kReads);
  LookForHiddenRows();
  return Count(db);
}

Statistics Adapter::Count(Session& db) {
  Statistics stats;
  ReadCounts(db, tables_, dialect_, stats);
  leases_.Read(db, stats);
  return stats;
}

void Adapter::List(const Query& query, const Found& found) {
  Session& db = Own(Access::kReads);
  LookForHiddenRows();
  ListRecords(db, tables_, Listing(), query, found);
}

std::uint64_t Adapter::Requeue(RowIds rows) {
  Session& db = Own();
  return Apply(db, dialect_.requeue, rows, PayloadOfDead());
}

std::uint64_t Adapter::Discard(RowIds rows) { return Apply(Own(), dialect_.discard, rows); }

std::uint64_t Adapter::DiscardBlocked(RowIds rows) { return Apply(Own(), dialect_.discard_blocked, rows); }

std::uint64_t Adapter::RetryNow(RowIds rows) { return Apply(Own(), dialect_.retry_now, rows); }

std::uint64_t Adapter::Apply(Session& db, const Change& change, RowIds rows, const std::string& payload) {
  const std::vector<long long> ids = SortedIds(rows);
  if (ids.empty()) return 0;
  const std::string list = Listed(ids);
  std::vector<Statement> steps;
  for (const std::string& step : change.steps)
    steps.push_back({dialect_.In(tables_, Fill(step, {{"[ids]", list}, {"[payload]", payload}})), {}});
  return static_cast<std::uint64_t>(ToNumber(db.RunTogether(steps).at(change.counted).at(0).at(0)));
}

void Adapter::Reset() {
  Session& db = Borrowed();
  EndTransaction(db);
  std::vector<Statement> steps;
  for (const char* sql : {"delete from {event}", "delete from {retry}", "delete from {dead}", "delete from {relay}",
                          "update {shard} set owner = null, state = 'free', lost = 0, suspect = null"})
    steps.push_back({tables_.In(sql), {}});
  (void)db.RunTogether(steps);
}

void Adapter::ExpireLeases() { (void)Borrowed().Run({dialect_.In(tables_, kExpire), {"-1000"}}); }

void Adapter::MakeRetriesDue() { (void)Borrowed().Run({dialect_.In(tables_, kMakeDue), {}}); }

TestState Adapter::StateOf(std::string_view event_id) {
  Session& db = Borrowed();
  TestState found;
  for (const std::uint32_t from : {OUTBOX_FROM_DEAD, OUTBOX_FROM_OUTBOX}) {
    Query query;
    query.from = from;
    query.event_id = event_id;
    ListRecords(db, tables_, Listing(), query, [&found](const Record& record) {
      found = {record.state, record.event.attempts};
      return true;
    });
  }
  return found;
}

}  // namespace outbox::sql
