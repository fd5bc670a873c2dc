#include "sqlite/adapter.hpp"

#include <nlohmann/json.hpp>

#include "outbox/secrets.hpp"
#include "outbox/text.hpp"
#include "sql/options.hpp"
#include "sql/row_id.hpp"
#include "sql/schema.hpp"
#include "sql/sql_template.hpp"
#include "sqlite/schema.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr std::size_t kMaxError = 1000;

std::map<std::string, std::string, std::less<>> ReadConfig(const std::string& json, const Secrets& secrets) {
  auto options = sql::ReadOptions(json, {{"path", {}}, {"table", "outbox_event"}});
  for (auto& [key, value] : options) value = secrets.Fill(value);
  if (options["path"].empty()) throw Error(OUTBOX_BAD_CONFIG, "options: 'path' is empty");
  const auto holds = [&options](char c) { return options["path"].find(c) != std::string::npos; };
  if (holds('=') && holds('"'))
    throw Error(OUTBOX_BAD_CONFIG, "options: 'path' holds both = and a quotation mark, which cannot be passed on");
  // A database file has one schema; what SQLite calls one is another file.
  if (options["table"].find('.') != std::string::npos)
    throw Error(OUTBOX_BAD_CONFIG, "options: 'table' is a name without a schema on SQLite");
  return options;
}

sql::LeaseDialect Dialect() {
  return {kNow, std::string(kNow) + " + cast(:lease as integer)", "(r.expires - t.at)", ""};
}

constexpr const char* kFence = "select 1 from {shard} where shard = :shard and token = :token and owner is not null";

// ?1 row  ?2 milliseconds until it is due, negative = never  ?3 reason  ?4 error  ?5 event id  ?6 as ?2, of the removal
constexpr const char* kKeep = R"(
insert into {retry}
  (row_id, event_id, aggregate_id, attempts, next_try, remove_at, first_failed, last_failed, reason, error)
select id, [event id], cast(aggregate_id as text), 1, case when ?2 >= 0 then [now] + ?2 end,
  case when ?6 >= 0 then [now] + ?6 end, [people], [people], ?3, ?4
from {event} where id = ?1 and [event id] = ?5
on conflict (row_id) do update set
  attempts = case when event_id is null or event_id = excluded.event_id then attempts + 1 else 1 end,
  event_id = excluded.event_id, aggregate_id = excluded.aggregate_id, next_try = excluded.next_try,
  remove_at = excluded.remove_at, last_failed = excluded.last_failed, reason = excluded.reason, error = excluded.error)";

// ?1 row  ?2 reason  ?3 error  ?4 event id
constexpr const char* kBury = R"(
insert into {dead} (row_id, event_id, topic, aggregate_id, event_type, payload, headers, created_at, attempts,
  first_failed, died_at, reason, error)
select e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at,
  coalesce(r.attempts, 0) + 1, coalesce(r.first_failed, [people]), [people], ?2, ?3
from {event} e left join {retry} r on r.row_id = e.id and (r.event_id is null or r.event_id = [its event id])
where e.id = ?1 and [its event id] = ?4)";

// ?1 row  ?2 event id
constexpr const char* kDrop = "delete from {event} where id = ?1 and [event id] = ?2";
// That of another row under the same id stays.
constexpr const char* kSettle = "delete from {retry} where row_id = ?1 and (event_id is null or event_id = ?2)";

std::string Filled(const sql::Tables& t, const char* sql) {
  return t.In(sql::Fill(sql, {{"[event id]", kEventId},
                              {"[its event id]", "ifnull(cast(e.event_id as text), '')"},
                              {"[now]", kNow},
                              {"[people]", kPeoplesNow}}));
}

}  // namespace

Config::Config(const std::string& json, const outbox_host* host) : Config(ReadConfig(json, Secrets(host))) {}

Config::Config(std::map<std::string, std::string, std::less<>> options)
    : path(std::move(options["path"])),
      tables(options["table"], '"', /*ignore_case=*/true),
      leases(tables, Dialect()),
      poison_marks(tables, Dialect()) {}

struct Adapter::Failing {
  Failing(Connection& db, const sql::Tables& t)
      : keep(db, Filled(t, kKeep)),
        bury(db, Filled(t, kBury)),
        drop(db, Filled(t, kDrop)),
        settle(db, Filled(t, kSettle)) {}
  Prepared keep, bury, drop, settle;
};

struct Adapter::Inserting {
  Inserting(Connection& db, const sql::Tables& t)
      : named(db, t.In("insert into {event} (topic, aggregate_id, event_type, payload, headers, event_id)"
                       " values (?1, ?2, ?3, ?4, ?5, ?6)")),
        unnamed(db, t.In("insert into {event} (topic, aggregate_id, event_type, payload, headers)"
                         " values (?1, ?2, ?3, ?4, ?5)")) {}
  Prepared named, unnamed;
};

Adapter::Adapter(std::shared_ptr<Config> config) : config_(std::move(config)) {
  try {
    connection_ = std::make_unique<Connection>(config_->path, false);
  } catch (const Error& error) {
    if (error.code != OUTBOX_BAD_CONFIG) throw;
  }
}

Adapter::~Adapter() = default;

Connection& Adapter::Db(bool create) {
  if (!connection_) connection_ = std::make_unique<Connection>(config_->path, create);
  connection_->Begin(call().timeout);
  return *connection_;
}

// A view in a table's place may leave rows out, and no read reaches ids below 1. Then reads find nothing and say nothing,
// and an outbox is shown as empty and its events as gone.
void Adapter::LookForHiddenRows(Connection& db) {
  if (!lookout_.Due()) return;
  RequireAllRows(db, config_->tables);
  lookout_.Looked();
}

void Adapter::ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) {
  Connection& db = Db();
  LookForHiddenRows(db);
  if (!reader_) reader_ = std::make_unique<Reader>(db, config_->tables);
  reader_->Read(call(), request, batch);
}

// Prepares what is not there yet: a trigger that names a table which is gone makes that fail.
Confirmation& Adapter::Confirming() {
  Connection& db = Db();
  try {
    if (!confirmation_) confirmation_ = std::make_unique<Confirmation>(db, config_->tables);
  } catch (const Error& error) {
    throw Confirmation::Judged(error, config_->tables);
  }
  return *confirmation_;
}

void Adapter::ConfirmEvent(ConfirmedRows rows, KeptRows& kept) { Confirming().Confirm(rows, kept); }

std::uint64_t Adapter::RemoveDelivered(RowIds rows, Millis again) { return Confirming().RemoveDelivered(rows, again); }

void Adapter::ConfirmFailed(Failures failures) {
  Connection& db = Db();
  if (!failing_) failing_ = std::make_unique<Failing>(db, config_->tables);
  Transaction transaction(db);
  // Under the write lock nobody can take the shard over before this commits.
  if (db.Run({config_->tables.In(kFence), {std::to_string(call().shard), std::to_string(call().token)}}).empty())
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call().shard) + " is not leased under this token");
  for (const Failure& failure : failures)
    if (const auto id = sql::ParseId(failure.row_id)) Fail(failure, *id);
  transaction.Commit();
}

void Adapter::Fail(const Failure& failure, long long row) {
  const std::string reason = ToText(failure.reason, kMaxError), text = ToText(failure.text, kMaxError);
  const std::string_view event = failure.event_id;
  if (failure.disposition == Disposition::kDead) {
    failing_->bury.Bind(row, std::string_view(reason), std::string_view(text), event).Execute();
    failing_->drop.Bind(row, event).Execute();
    failing_->settle.Bind(row, event).Execute();
    return;
  }
  const auto after = [&failure](Disposition wanted) {
    return failure.disposition == wanted ? static_cast<long long>(failure.retry_after.count()) : -1LL;
  };
  failing_->keep
      .Bind(row, after(Disposition::kRetry), std::string_view(reason), std::string_view(text), event,
            after(Disposition::kDelivered))
      .Execute();
}

void Adapter::Cancel() noexcept {
  if (connection_) connection_->Cancel();
}

Connection& Adapter::OwnDb(sql::Access access) {
  Connection& db = Db();
  if (!own_) own_ = sql::RequireOwn(db, config_->tables, /*ignore_case=*/true, access);
  return db;
}

Lease Adapter::Heartbeat(std::string_view relay_id, Millis lease) {
  Connection& db = OwnDb();
  Lease held = config_->leases.Heartbeat(db, std::string(relay_id), lease);
  // With a shard, the session that reads looks for itself.
  if (held.owned.empty()) LookForHiddenRows(db);
  return held;
}

void Adapter::ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool deregister) {
  config_->leases.Return(Db(), std::string(relay_id), shards, deregister);
}

// The first call tells of what was committed before it.
bool Adapter::Wait() {
  Connection& db = Db();
  if (watch_) return watch_->Wait();
  watch_ = std::make_unique<Watch>(db);
  return true;
}

void Adapter::BeginEmit() {
  Connection& db = Db();
  db.RollBack();
  version_.Check(db, config_->tables);
  if (!inserting_) inserting_ = std::make_unique<Inserting>(db, config_->tables);
  db.Script("begin immediate");
}

void Adapter::Insert(Events events) {
  Connection& db = Db();
  if (!inserting_ || !db.InTransaction()) throw Error(OUTBOX_INTERNAL, "insert without begin");
  for (const Event& e : events) {
    // The relay would meet it as a failed event later; here somebody is still there who can correct it.
    if (e.headers && !nlohmann::json::parse(*e.headers, nullptr, false).is_object())
      throw Error(OUTBOX_BAD_DATA, "headers must be a JSON object");
    Prepared& insert = e.event_id.empty() ? inserting_->unnamed : inserting_->named;
    if (e.event_id.empty())
      insert.Bind(e.topic, e.aggregate_id, e.event_type, e.payload, e.headers).Execute();
    else
      insert.Bind(e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.event_id).Execute();
  }
}

void Adapter::EndEmit(bool commit) {
  Connection& db = Db();
  if (!commit) return db.RollBack();
  if (!db.InTransaction()) throw Error(OUTBOX_INTERNAL, "the transaction has been rolled back already");
  db.Script("commit");
}

}  // namespace outbox::sqlite
