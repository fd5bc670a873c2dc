#include "postgres/adapter.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "postgres/array.hpp"
#include "postgres/connect.hpp"
#include "postgres/schema.hpp"
#include "sql/options.hpp"
#include "sql/text.hpp"

namespace outbox::postgres {
namespace {

constexpr std::size_t kLongestError = 1000;

sql::LeaseDialect Dialect() {
  return {"clock_timestamp()", "clock_timestamp() + cast(:lease as bigint) * interval '1 millisecond'",
          "cast(extract(epoch from r.expires - t.at) * 1000 as bigint)", " for update"};
}

// outbox_retry is almost always empty, and then costs one look.
constexpr const char* kConfirm = R"(
with gone as (delete from {event} where id = any($1))
delete from {retry} where row_id = any($1) and exists (select 1 from {retry}))";

// One statement: fenced, all or nothing, and over when it has been sent, also if the relay is stopped at that moment.
constexpr const char* kFail = R"(
with f as (select * from jsonb_to_recordset(cast(:failures as jsonb))
    as f (row_id bigint, reason text, error text, wait bigint, dead boolean)),
  fence as materialized (select 1 from {shard}
    where shard = cast(:shard as integer) and token = cast(:token as bigint) and owner is not null for share),
  kept as (insert into {retry} as r
      (row_id, event_id, aggregate_id, attempts, next_try, first_failed, last_failed, reason, error)
    select e.id, e.event_id, e.aggregate_id, 1, clock_timestamp() + f.wait * interval '1 millisecond',
      clock_timestamp(), clock_timestamp(), f.reason, f.error
    from f join {event} e on e.id = f.row_id where not f.dead and exists (select 1 from fence) order by e.id
    on conflict (row_id) do update set
      attempts = case when r.event_id = excluded.event_id then r.attempts + 1 else 1 end,
      event_id = excluded.event_id, aggregate_id = excluded.aggregate_id, next_try = excluded.next_try,
      last_failed = excluded.last_failed, reason = excluded.reason, error = excluded.error),
  moved as (delete from {event} e using f where e.id = f.row_id and f.dead and exists (select 1 from fence)
    returning e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at, f.reason,
      f.error),
  settled as (delete from {retry} r using moved m where r.row_id = m.id returning r.row_id, r.attempts, r.first_failed),
  buried as (insert into {dead} (row_id, event_id, topic, aggregate_id, event_type, payload, headers, created_at,
      attempts, first_failed, died_at, reason, error)
    select m.id, m.event_id, m.topic, m.aggregate_id, m.event_type, m.payload, m.headers, m.created_at,
      coalesce(s.attempts, 0) + 1, coalesce(s.first_failed, clock_timestamp()), clock_timestamp(), m.reason, m.error
    from moved m left join settled s on s.row_id = m.id)
select cast(count(*) as text) from fence)";

// The name of the channel, and whether there is somebody who would use it.
constexpr const char* kChannel = R"(
select 'outbox_' || cast(cast(cast('{event}' as regclass) as oid) as text), cast(count(*) as text) from pg_trigger
where tgrelid = cast('{event}' as regclass) and tgname = cast(:name as text) and tgenabled <> 'D')";

constexpr auto kStillThere = std::chrono::seconds(30);

}  // namespace

Config::Config(const std::string& json, const outbox_host*)
    : Config(sql::ReadOptions(json, {{"connection", {}}, {"table", "outbox_event"}})) {}

Config::Config(std::map<std::string, std::string, std::less<>> options)
    : connection(CompleteConnection(options["connection"])),
      tables(options["table"]),
      leases(tables, Dialect()),
      suspects(tables, Dialect()) {}

Adapter::Adapter(std::shared_ptr<Config> config, const Call& call)
    : config_(std::move(config)),
      wire_(std::make_unique<Wire>(Connect(config_->connection), config_->tables, call.timeout)) {}

Adapter::~Adapter() = default;

// After a call that was given up the connection is amid an answer: a new one takes its place, without its hints.
Wire& Adapter::Db() {
  if (wire_->cancelled_before()) {
    reader_.reset();
    columns_.reset();
    confirms_ = inserts_ = listens_ = false;
    wire_->Adopt(Connect(config_->connection), call().timeout);
  }
  wire_->Begin(call().timeout);
  return *wire_;
}

Operator& Adapter::Ordinary() {
  if (!operator_) operator_ = std::make_unique<Operator>(config_->connection, config_->tables);
  operator_->Begin(call().timeout);
  return *operator_;
}

const EventColumns& Adapter::Columns() {
  if (!columns_) columns_ = EventColumns::Read(*wire_, config_->tables);
  return *columns_;
}

void Adapter::ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) {
  Wire& db = Db();
  if (!reader_) reader_ = std::make_unique<Reader>(db, config_->tables, Columns());
  reader_->Read(call(), request, batch);
}

void Adapter::ConfirmEvent(RowIds rows) {
  Wire& db = Db();
  if (!confirms_) db.Prepare("confirm", config_->tables.In(kConfirm), {kInt8Array});
  confirms_ = true;
  // Sorted: two relays that delete the same rows meet them in the same order.
  std::vector<long long> sorted;
  sorted.reserve(rows.size());
  for (const std::string_view row : rows)
    if (const auto id = sql::ParseId(row)) sorted.push_back(*id);
  std::sort(sorted.begin(), sorted.end());
  Array ids(kInt8);
  for (const long long id : sorted) ids.Add(id);
  const std::string array = ids.Take();
  (void)db.Execute("confirm", {{array, true}});
}

void Adapter::ConfirmFailed(Failures failures) {
  auto list = nlohmann::json::array();
  for (const Failure& f : failures)
    if (const auto id = sql::ParseId(f.row_id))
      list.push_back({{"row_id", *id},
                      {"reason", sql::ToText(f.reason, kLongestError)},
                      {"error", sql::ToText(f.text, kLongestError)},
                      {"wait", f.disposition == Disposition::kRetry ? nlohmann::json(f.retry_after.count()) : nullptr},
                      {"dead", f.disposition == Disposition::kDead}});
  const sql::Rows fence =
      Db().Run({config_->tables.In(kFail), {list.dump(), std::to_string(call().shard), std::to_string(call().token)}});
  if (sql::ToNumber(fence.at(0)[0]) == 0)
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call().shard) + " is not leased under this token");
}

// The first call finds out whether rows were committed before it listened: by telling so.
bool Adapter::Wait() {
  Wire& db = Db();
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

void Adapter::Cancel() noexcept { wire_->Cancel(); }

Lease Adapter::Heartbeat(std::string_view relay_id, Millis lease) {
  return config_->leases.Heartbeat(Db(), std::string(relay_id), lease);
}

void Adapter::ReturnShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool leave) {
  config_->leases.Return(Db(), std::string(relay_id), shards, leave);
}

}  // namespace outbox::postgres
