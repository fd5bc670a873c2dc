#include "postgres/adapter.hpp"

#include <nlohmann/json.hpp>

#include "outbox/text.hpp"
#include "postgres/connect.hpp"
#include "postgres/hidden.hpp"
#include "postgres/others.hpp"
#include "postgres/schema.hpp"
#include "sql/options.hpp"
#include "sql/row_id.hpp"
#include "sql/schema.hpp"

namespace outbox::postgres {
namespace {

constexpr std::size_t kMaxError = 1000;

sql::LeaseDialect Dialect() {
  return {"clock_timestamp()", "clock_timestamp() + cast(:lease as bigint) * interval '1 millisecond'",
          "cast(extract(epoch from r.expires - t.at) * 1000 as bigint)", " for update"};
}

// One statement: fenced, all or nothing, and over when it has been sent, also if the relay is stopped at that moment. Each
// row is looked up by its id from the list, and what the list says of it from an object: to join the two would compare each
// with each, as sorts and hashes are off. "offset 0" keeps the planner from doing it the other way round.
constexpr const char* kFail = R"(
with f as materialized (select cast(:failures as jsonb) as failures),
  asked as materialized (select cast(k as bigint) as id, f.failures -> k as failure,
      cast(f.failures -> k ->> 'event_id' as uuid) as event_id,
      cast(f.failures -> k ->> 'wait' as bigint) * interval '1 millisecond' as wait
    from f cross join lateral jsonb_object_keys(f.failures) k),
  fence as materialized (select 1 from {shard}
    where shard = cast(:shard as integer) and token = cast(:token as bigint) and owner is not null for share),
  kept as (insert into {retry} as r
      (row_id, event_id, aggregate_id, attempts, next_try, remove_at, first_failed, last_failed, reason, error)
    select e.id, e.event_id, e.aggregate_id, 1,
      case when a.failure -> 'delivered' = 'false' then clock_timestamp() + a.wait end,
      case when a.failure -> 'delivered' = 'true' then clock_timestamp() + a.wait end,
      clock_timestamp(), clock_timestamp(), a.failure ->> 'reason', a.failure ->> 'error'
    from asked a cross join lateral (select e.id, e.event_id, e.aggregate_id from {event} e
      where e.id = a.id and e.event_id = a.event_id offset 0) e
    where a.failure -> 'dead' = 'false' and exists (select 1 from fence)
    on conflict (row_id) do update set
      attempts = case when r.event_id = excluded.event_id then r.attempts + 1 else 1 end,
      event_id = excluded.event_id, aggregate_id = excluded.aggregate_id, next_try = excluded.next_try,
      remove_at = excluded.remove_at, last_failed = excluded.last_failed, reason = excluded.reason,
      error = excluded.error),
  dying as materialized (select array_agg(a.id) as ids from asked a
    where a.failure -> 'dead' = 'true' and exists (select 1 from fence)),
  moved as (delete from {event} e where e.id = any (cast((select ids from dying) as bigint[]))
      and e.event_id = cast((select f.failures -> cast(e.id as text) ->> 'event_id' from f) as uuid)
    returning e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at),
  buried as (insert into {dead} (row_id, event_id, topic, aggregate_id, event_type, payload, headers, created_at,
      attempts, first_failed, died_at, reason, error)
    select m.id, m.event_id, m.topic, m.aggregate_id, m.event_type, m.payload, m.headers, m.created_at,
      coalesce(r.attempts, 0) + 1, coalesce(r.first_failed, clock_timestamp()), clock_timestamp(),
      f.failures -> cast(m.id as text) ->> 'reason', f.failures -> cast(m.id as text) ->> 'error'
    from moved m cross join f
      left join lateral (select r.attempts, r.first_failed from {retry} r where r.row_id = m.id and r.event_id = m.event_id offset 0) r on true),
  settled as (delete from {retry} r where r.row_id = any (cast((select ids from dying) as bigint[]))
      and r.event_id = cast((select f.failures -> cast(r.row_id as text) ->> 'event_id' from f) as uuid))
select cast(count(*) as text) from fence)";

// The name of the channel, and whether there is somebody who would use it.
constexpr const char* kChannel = R"(
select 'outbox_' || cast(cast(cast('{event}' as regclass) as oid) as text), cast(count(*) as text) from pg_trigger
where tgrelid = cast('{event}' as regclass) and tgname = cast(:name as text) and tgenabled <> 'D')";

constexpr auto kStillThere = std::chrono::seconds(30);

// Where the search path finds the outbox, else where it would create a table. Temporary tables do not count.
constexpr const char* kHome = R"(
select n.nspname from unnest(current_schemas(false)) with ordinality p (name, place)
  join pg_namespace n on n.nspname = p.name and n.oid <> pg_my_temp_schema()
  left join pg_class c on c.relnamespace = n.oid and c.relname = cast(:table as text)
order by c.oid is null, p.place limit 1)";

// A name that would end a literal, or look like a place or a parameter in our SQL, is left to the search path.
bool CanBeWritten(const std::string& schema) { return schema.find_first_of("'\":\\{}[]$") == std::string::npos; }

std::shared_ptr<Config> Resolved(const std::shared_ptr<Config>& given, sql::Statements& db) {
  if (!given->tables.schema.empty()) return given;
  const sql::Rows home = db.Run({kHome, {given->tables.event_name}});
  if (home.empty() || !CanBeWritten(home[0][0].value_or(""))) return given;
  return given->Within(*home[0][0]);
}

}  // namespace

Config::Config(const std::string& json, const outbox_host* host)
    : Config(sql::ReadOptions(json, {{"connection", {}}, {"table", "outbox_event"}}), Secrets(host)) {}

Config::Config(std::map<std::string, std::string, std::less<>> options, const Secrets& secrets)
    : tables(secrets.Fill(options["table"])),
      leases(tables, Dialect()),
      poison_marks(tables, Dialect()),
      connection_(options["connection"]),
      secrets_(secrets) {
  (void)Connection();  // what is wrong with it is known before anything connects
}

std::shared_ptr<Config> Config::Within(const std::string& schema) const {
  auto within = std::make_shared<Config>(*this);
  within->tables = tables.Within(schema);
  within->leases = sql::Leases(within->tables, Dialect());
  within->poison_marks = sql::PoisonMarks(within->tables, Dialect());
  return within;
}

Adapter::Adapter(std::shared_ptr<Config> config, const Call& call)
    : given_(std::move(config)),
      connection_(given_->Connection()),
      client_(std::make_unique<Client>(Connect(connection_), given_->tables, call.timeout)),
      config_(Resolved(given_, *client_)) {}

Adapter::~Adapter() { session_.Leave(*client_); }

// After a call that was given up the connection is in the middle of an answer: a new one takes its place, without its hints.
Client& Adapter::Borrowed() {
  if (client_->cancelled_before()) {
    reader_.reset();
    columns_.reset();
    confirmation_.reset();
    inserts_ = listens_ = false;
    session_ = SessionGuard();
    client_->Adopt(Connect(connection_), call().timeout);
  }
  client_->Begin(call().timeout);
  return *client_;
}

Client& Adapter::Db() {
  Client& db = Borrowed();
  if (!db.owned()) {
    session_ = SessionGuard(db, connection_, config_->tables, call().timeout);
    RequireAllRows(db, config_->tables);
    lookout_.Looked();
    db.Own();
  }
  session_.Verify(db);
  return db;
}

// A policy may be added while the relay runs, or rows that no read reaches. Then reads find nothing and say nothing, and
// an outbox is shown as empty and its events as gone.
void Adapter::LookForHiddenRows(Client& db) {
  if (!lookout_.Due()) return;
  RequireAllRows(db, config_->tables);
  RequireNoLowIds(db, config_->tables);
  lookout_.Looked();
}

const EventColumns& Adapter::Columns() {
  if (!columns_) columns_ = EventColumns::Read(*client_, config_->tables);
  return *columns_;
}

void Adapter::ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) {
  Client& db = Db();
  LookForHiddenRows(db);
  if (!reader_) reader_ = std::make_unique<Reader>(db, config_->tables, Columns());
  try {
    reader_->Read(call(), request, batch);
  } catch (const Error& error) {
    if (error.code != OUTBOX_BAD_DATA) throw;
    // Of a row that the server cannot put into the relay's encoding. It holds up all others, so nobody may take it for data
    // that one event has.
    throw Error(OUTBOX_BAD_CONFIG,
                std::string(error.what()) + "; the server cannot send a row of " + config_->tables.event +
                    ": correct its text or delete it",
                error.sqlstate);
  }
}

Confirmation& Adapter::Confirming() {
  Client& db = Db();
  if (!confirmation_) confirmation_ = std::make_unique<Confirmation>(db, config_->tables);
  return *confirmation_;
}

void Adapter::ConfirmEvent(ConfirmedRows rows, KeptRows& kept) { Confirming().Confirm(rows, kept); }

std::uint64_t Adapter::RemoveDelivered(RowIds rows, Millis again) { return Confirming().RemoveDelivered(rows, again); }

void Adapter::ConfirmFailed(Failures failures) {
  auto list = nlohmann::json::object();
  for (const Failure& f : failures)
    if (const auto id = sql::ParseId(f.row_id); id && !ParseUuid(f.event_id).empty())
      list[std::to_string(*id)] = {
          {"event_id", f.event_id},
          {"reason", ToText(f.reason, kMaxError)},
          {"error", ToText(f.text, kMaxError)},
          {"wait", f.disposition != Disposition::kBlock ? nlohmann::json(f.retry_after.count()) : nullptr},
          {"dead", f.disposition == Disposition::kDead},
          {"delivered", f.disposition == Disposition::kDelivered}};
  const sql::Rows fence =
      Db().Run({config_->tables.In(kFail), {list.dump(), std::to_string(call().shard), std::to_string(call().token)}});
  if (sql::ToNumber(fence.at(0)[0]) == 0)
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call().shard) + " is not leased under this token");
}

// The first call finds out whether rows were committed before it listened: by telling so.
bool Adapter::Wait() {
  Client& db = Db();
  const auto now = std::chrono::steady_clock::now();
  if (!listens_) {
    const sql::Row found = db.Run({config_->tables.In(kChannel), {config_->tables.prefix + kWakeUpTrigger}}).at(0);
    if (found[1] != "1")
      throw Error(OUTBOX_BAD_CONFIG, std::string("the outbox has no trigger that tells of new rows; ") + sql::kMigrate);
    db.Script("listen " + found[0].value_or(""));
    listens_ = true;
    heard_ = now;
    return true;
  }
  // A connection may have died in silence, and a listener says nothing by itself.
  if (now - heard_ > kStillThere) {
    db.Script("select 1");
    heard_ = now;
  }
  return db.AwaitNotification();
}

void Adapter::Cancel() noexcept { client_->Cancel(); }

void Adapter::RequireOwn(sql::Statements& db, sql::Access access) {
  if (!own_) own_ = sql::RequireOwn(db, config_->tables, false, access);
}

Lease Adapter::Heartbeat(std::string_view relay_id, Millis lease) {
  Client& db = Db();
  RequireOwn(db);
  Lease held = config_->leases.Heartbeat(db, std::string(relay_id), lease);
  // With a shard, the session that reads looks for itself.
  if (held.owned.empty()) LookForHiddenRows(db);
  return held;
}

void Adapter::ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool deregister) {
  config_->leases.Return(Db(), std::string(relay_id), shards, deregister);
}

}  // namespace outbox::postgres
