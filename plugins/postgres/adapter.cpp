#include "postgres/adapter.hpp"

#include <soci/soci.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "postgres/array.hpp"
#include "postgres/check.hpp"
#include "postgres/connect.hpp"
#include "postgres/schema.hpp"
#include "sql/options.hpp"
#include "sql/text.hpp"

namespace outbox::postgres {
namespace {

constexpr std::size_t kLongestError = 1000;
constexpr long long kCountedExactly = 100'000;
// Of one insert: the arrays are copied on their way, so they stay small.
constexpr std::size_t kRowsPerInsert = 1000, kBytesPerInsert = std::size_t{4} << 20;

std::map<std::string, std::string, std::less<>> ReadConfig(const std::string& json) {
  return sql::ReadOptions(json, {{"connection", {}}, {"table", "outbox_event"}});
}

sql::LeaseDialect Dialect() {
  return {"clock_timestamp()",
          [](const std::string& by) { return "clock_timestamp() + " + by + " * interval '1 millisecond'"; },
          [](const std::string& expires, const std::string& now) {
            return "cast(extract(epoch from " + expires + " - " + now + ") * 1000 as bigint)";
          },
          " for update"};
}

// Sorted: two relays that delete the same rows meet them in the same order.
std::vector<long long> Ids(RowIds rows) {
  std::vector<long long> ids;
  ids.reserve(rows.size());
  for (const std::string_view row : rows)
    if (const auto id = sql::ParseId(row)) ids.push_back(*id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::string ToArray(const std::vector<long long>& ids) {
  Array array(kInt8);
  for (const long long id : ids) array.Add(id);
  return array.Take();
}

std::string ToArrayText(RowIds rows) {
  std::string text = "{";
  for (const long long id : Ids(rows)) text += (text.size() > 1 ? "," : "") + std::to_string(id);
  return text + "}";
}

std::uint64_t Count(const sql::Rows& rows) { return static_cast<std::uint64_t>(sql::ToNumber(rows.at(0)[0])); }

void RequireText(const Bytes& bytes, const char* what, const char* mend) {
  if (bytes && !sql::IsText(*bytes))
    throw Error(OUTBOX_BAD_DATA, std::string(what) + " is not UTF-8 text without NUL" + mend);
}

// Refused here with a reason that helps, where the server would say "invalid byte sequence".
void CheckEvent(const Event& e, const EventColumns& columns) {
  RequireText(e.topic, "the topic", "");
  RequireText(e.event_type, "the event type", "");
  RequireText(e.aggregate_id, "the key", "");
  RequireText(e.event_id, "the event id", "");
  if (!columns.IsBytea())
    RequireText(e.payload, "the payload",
                ", which is all that its column holds; run: outbox-relay migrate --payload bytea");
  const bool json = columns.payload == "json" || columns.payload == "jsonb";
  if (json && e.payload && !nlohmann::json::accept(*e.payload))
    throw Error(OUTBOX_BAD_DATA,
                "the payload is not JSON, which is all that its column holds; run: outbox-relay migrate"
                " --payload text, or bytea");
  if (e.headers && !nlohmann::json::parse(*e.headers, nullptr, false).is_object())
    throw Error(OUTBOX_BAD_DATA, "headers must be a JSON object");
}

}  // namespace

Config::Config(const std::string& json, const outbox_host*) : Config(ReadConfig(json)) {}

Config::Config(std::map<std::string, std::string, std::less<>> options)
    : connection(CompleteConnection(options["connection"])), tables(options["table"]), leases(tables, Dialect()) {}

Adapter::Adapter(std::shared_ptr<Config> config)
    : config_(std::move(config)),
      session_(Connect(config_->connection)),
      wire_(std::make_unique<Wire>(NativeHandle(*session_), config_->tables)),
      operator_(std::make_unique<Operator>(*session_, config_->tables)) {}

Adapter::~Adapter() = default;

// After a call that was given up the connection is amid an answer: a new one takes its place, without its hints.
Wire& Adapter::Db() {
  if (wire_->cancelled_before()) {
    auto session = Connect(config_->connection);
    reader_.reset();
    columns_.reset();
    confirms_ = inserts_ = lists_ = false;
    wire_->Adopt(NativeHandle(*session));
    session_ = std::move(session);
    operator_ = std::make_unique<Operator>(*session_, config_->tables);
  }
  wire_->Begin(call().timeout);
  return *wire_;
}

Operator& Adapter::Ordinary() {
  Db().LimitOnServer();
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
  const auto& t = config_->tables;
  if (!confirms_) {
    db.Prepare("confirm",
               "with gone as (delete from " + t.event + " where id = any($1)) delete from " + t.retry +
                   " where row_id = any($1) and exists (select 1 from " + t.retry + ")",
               {kInt8Array});
    confirms_ = true;
  }
  const std::string ids = ToArray(Ids(rows));
  (void)db.Execute("confirm", {{ids, true}});
}

// One statement: fenced, all or nothing, and over when it has been sent, also if the relay is stopped at that moment.
void Adapter::ConfirmFailed(Failures failures) {
  const auto& t = config_->tables;
  auto list = nlohmann::json::array();
  for (const Failure& f : failures)
    if (const auto id = sql::ParseId(f.row_id))
      list.push_back({{"row_id", *id},
                      {"reason", sql::ToText(f.reason, kLongestError)},
                      {"error", sql::ToText(f.text, kLongestError)},
                      {"wait", f.disposition == Disposition::kRetry ? nlohmann::json(f.retry_after.count()) : nullptr},
                      {"dead", f.disposition == Disposition::kDead}});
  const std::string fenced = " and exists (select 1 from fence)", now = "clock_timestamp()";
  const sql::Rows fence = Db().Run(
      {"with f as (select * from jsonb_to_recordset(cast(:failures as jsonb)) as f (row_id bigint, reason text, error "
       "text,"
       " wait bigint, dead boolean)), fence as materialized (select 1 from " +
           t.shard +
           " where shard = cast(:shard as integer) and token = cast(:token as bigint) and owner is not null for share),"
           " kept as (insert into " +
           t.retry +
           " as r (row_id, event_id, aggregate_id, attempts, next_try, first_failed,"
           " last_failed, reason, error) select e.id, e.event_id, e.aggregate_id, 1, " +
           now + " + f.wait * interval '1 millisecond', " + now + ", " + now + ", f.reason, f.error from f join " +
           t.event + " e on e.id = f.row_id where not f.dead" + fenced +
           " order by e.id on conflict (row_id) do update set attempts ="
           " case when r.event_id = excluded.event_id then r.attempts + 1 else 1 end, event_id = excluded.event_id,"
           " aggregate_id = excluded.aggregate_id, next_try = excluded.next_try, last_failed = excluded.last_failed,"
           " reason = excluded.reason, error = excluded.error),"
           " moved as (delete from " +
           t.event + " e using f where e.id = f.row_id and f.dead" + fenced +
           " returning e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at, "
           "f.reason,"
           " f.error), settled as (delete from " +
           t.retry +
           " r using moved m where r.row_id = m.id returning r.row_id,"
           " r.attempts, r.first_failed), buried as (insert into " +
           t.dead +
           " (row_id, event_id, topic, aggregate_id,"
           " event_type, payload, headers, created_at, attempts, first_failed, died_at, reason, error) select m.id, "
           "m.event_id,"
           " m.topic, m.aggregate_id, m.event_type, m.payload, m.headers, m.created_at, coalesce(s.attempts, 0) + 1,"
           " coalesce(s.first_failed, " +
           now + "), " + now +
           ", m.reason, m.error from moved m left join settled s on"
           " s.row_id = m.id) select cast(count(*) as text) from fence",
       {list.dump(), std::to_string(call().shard), std::to_string(call().token)}});
  if (Count(fence) == 0)
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call().shard) + " is not leased under this token");
}

void Adapter::Cancel() noexcept { wire_->Cancel(); }

Lease Adapter::Heartbeat(std::string_view relay_id, Millis lease) {
  return config_->leases.Heartbeat(Db(), std::string(relay_id), lease);
}

void Adapter::ReturnShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool leave) {
  config_->leases.Return(Db(), std::string(relay_id), shards, leave);
}

void Adapter::BeginEmit() {
  Wire& db = Db();
  if (db.InTransaction()) db.Script("rollback");
  const EventColumns& columns = Columns();
  if (!inserts_) {
    const bool bytea = columns.IsBytea();
    const auto insert = [&](const char* more, const char* value) {
      return "insert into " + config_->tables.event + " (topic, aggregate_id, event_type, payload, headers" + more +
             ") select u.topic, u.key, u.type, cast(u.payload as " + columns.payload + "), cast(u.headers as " +
             columns.headers + ")" + value +
             " from unnest($1, $2, $3, $4, $5, $6) with ordinality as u (topic, key, type,"
             " payload, headers, event_id, n) order by u.n";
    };
    const std::vector<Oid> types{kTextArray, kTextArray, kTextArray, bytea ? kByteaArray : kTextArray,
                                 kTextArray, kTextArray};
    db.Prepare("insert", insert("", ""), types);
    db.Prepare("insert_named", insert(", event_id", ", cast(u.event_id as uuid)"), types);
    inserts_ = true;
  }
  db.LimitOnServer();
  db.Script("begin");
}

void Adapter::Insert(Events events) {
  Wire& db = Db();
  if (!inserts_ || !db.InTransaction()) throw Error(OUTBOX_INTERNAL, "insert without begin");
  for (const Event& e : events) CheckEvent(e, *columns_);
  // Runs of rows with an id of their own, and of rows that take the column's default.
  for (std::size_t first = 0, next = 0; first < events.size(); first = next) {
    const bool named = !events[first].event_id.empty();
    std::array<Array, 6> columns{Array(kText), Array(kText), Array(kText), Array(columns_->IsBytea() ? kBytea : kText),
                                 Array(kText), Array(kText)};
    std::size_t bytes = 0;
    for (; next < events.size() && next - first < kRowsPerInsert && bytes < kBytesPerInsert; ++next) {
      const Event e = events[next];
      if (named == e.event_id.empty()) break;
      columns[0].Add(Bytes(e.topic));
      columns[1].Add(e.aggregate_id);
      columns[2].Add(Bytes(e.event_type));
      columns[3].Add(e.payload);
      columns[4].Add(e.headers);
      columns[5].Add(named ? Bytes(e.event_id) : std::nullopt);
      bytes += e.payload.value_or("").size();
    }
    std::array<std::string, 6> arrays;
    std::vector<Parameter> parameters;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      arrays[i] = columns[i].Take();
      parameters.push_back({arrays[i], true});
    }
    (void)db.Execute(named ? "insert_named" : "insert", parameters);
  }
}

void Adapter::EndEmit(bool commit) {
  Wire& db = Db();
  // The server answers a commit after a failure with a silent rollback.
  if (commit && !db.CanCommit()) {
    db.Script("rollback");
    throw Error(OUTBOX_BAD_DATA, "the transaction has failed and was rolled back");
  }
  db.Script(commit ? "commit" : "rollback");
}

std::string Adapter::PrintSchema(const Config& config, const SchemaWish& wish) {
  return postgres::PrintSchema(config.tables, wish);
}

void Adapter::ApplySchema(const SchemaWish& wish) { postgres::ApplySchema(Db(), config_->tables, wish); }

std::vector<Finding> Adapter::CheckSchema() { return postgres::CheckSchema(Ordinary(), config_->tables); }

Stats Adapter::ReadStats() {
  Operator& db = Ordinary();
  const auto& t = config_->tables;
  Stats stats;
  const std::string there =
      " r where exists (select 1 from " + t.event + " e where e.id = r.row_id) and r.next_try is ";
  const sql::Row row =
      db.Run({"select cast((select count(*) from (select 1 from " + t.event + " limit " +
                  std::to_string(kCountedExactly + 1) +
                  ") l) as text),"
                  " cast((select cast(reltuples as bigint) from pg_class where oid = cast('" +
                  t.event +
                  "' as regclass)) as text),"
                  " cast((select count(*) from " +
                  t.retry + there +
                  "not null) as text),"
                  " cast((select count(*) from " +
                  t.retry + there +
                  "null) as text),"
                  " cast((select count(*) from " +
                  t.dead +
                  ") as text),"
                  " cast((select cast(extract(epoch from clock_timestamp() - created_at) * 1000 as bigint) from " +
                  t.event + " order by id limit 1) as text)",
              {}})
          .at(0);
  const long long counted = sql::ToNumber(row[0]);
  stats.backlog_exact = counted <= kCountedExactly;
  stats.backlog = static_cast<std::uint64_t>(stats.backlog_exact ? counted : std::max(counted, sql::ToNumber(row[1])));
  stats.retrying = static_cast<std::uint64_t>(sql::ToNumber(row[2]));
  stats.blocked = static_cast<std::uint64_t>(sql::ToNumber(row[3]));
  stats.dead = static_cast<std::uint64_t>(sql::ToNumber(row[4]));
  if (row[5]) stats.oldest_age = Millis(std::max(0LL, sql::ToNumber(row[5])));
  config_->leases.Read(db, stats);
  return stats;
}

void Adapter::ListDead(Bytes after, BatchBuilder& batch) {
  Wire& db = Db();
  if (!lists_) {
    EventColumns columns = Columns();
    std::string select = columns.Select();
    select.replace(0, 4, "e.row_id");
    db.Prepare("dead",
               "select " + select + ", e.attempts from " + config_->tables.dead +
                   " e where e.row_id > $1 order by e.row_id limit 100",
               {kInt8});
    lists_ = true;
  }
  long long from = after ? sql::ParseId(*after).value_or(0) : 0;
  for (;;) {
    std::string bytes;
    PutNumber<std::int64_t>(bytes, from);
    const Result page = db.Execute("dead", {{bytes, true}});
    for (int row = 0; row < page.rows(); ++row) {
      char room[24];
      Event e = EventAt(page, row, 0, room);
      e.attempts = static_cast<std::uint32_t>(page.Number(row, 8));
      if (!batch.Add(e)) return;
      from = page.Number(row, 0);
    }
    if (page.rows() == 0) return;
  }
}

std::uint64_t Adapter::Requeue(RowIds rows) {
  const auto& t = config_->tables;
  return Count(Ordinary().Run(
      {"with d as (delete from " + t.dead +
           " where row_id = any(cast(:ids as bigint[])) returning *), i as (insert into " + t.event +
           " (event_id, topic, aggregate_id, event_type, payload, headers) select event_id, topic, aggregate_id,"
           " event_type, payload, headers from d order by row_id returning 1) select cast(count(*) as text) from i",
       {ToArrayText(rows)}}));
}

std::uint64_t Adapter::Discard(RowIds rows) {
  return Count(Ordinary().Run({"with d as (delete from " + config_->tables.dead +
                                   " where row_id = any(cast(:ids as bigint[]))"
                                   " returning 1) select cast(count(*) as text) from d",
                               {ToArrayText(rows)}}));
}

void Adapter::Reset() {
  const auto& t = config_->tables;
  Wire& db = Db();
  if (db.InTransaction()) db.Script("rollback");
  db.Script("delete from " + t.event + "; delete from " + t.retry + "; delete from " + t.dead + "; delete from " +
            t.relay + "; update " + t.shard + " set owner = null, state = 'free'");
}

void Adapter::ExpireLeases() {
  Db().Script("update " + config_->tables.relay + " set expires = clock_timestamp() - interval '1 second'");
}

void Adapter::MakeRetriesDue() {
  Db().Script("update " + config_->tables.retry + " set next_try = clock_timestamp() where next_try is not null");
}

TestState Adapter::StateOf(std::string_view event_id) {
  const auto& t = config_->tables;
  const sql::Rows rows =
      Ordinary().Run({"with wanted as (select cast(:id as text) as id) select cast(case when r.row_id is null then 1 "
                      "when r.next_try is null"
                      " then 3 else 2 end as text), cast(coalesce(r.attempts, 0) as text) from wanted w join " +
                          t.event + " e on cast(e.event_id as text) = w.id left join " + t.retry +
                          " r on r.row_id = e.id union all select '4',"
                          " cast(d.attempts as text) from wanted w join " +
                          t.dead + " d on cast(d.event_id as text) = w.id",
                      {std::string(event_id)}});
  if (rows.empty()) return {};
  return {static_cast<std::int32_t>(sql::ToNumber(rows[0][0])), static_cast<std::uint32_t>(sql::ToNumber(rows[0][1]))};
}

}  // namespace outbox::postgres
