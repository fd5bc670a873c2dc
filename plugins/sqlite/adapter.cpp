#include "sqlite/adapter.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "sql/options.hpp"
#include "sql/text.hpp"
#include "sqlite/schema.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr std::size_t kLongestError = 1000;
constexpr long long kCountedExactly = 100'000;
const char* const kPeoplesNow = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

std::map<std::string, std::string, std::less<>> ReadConfig(const std::string& json) {
  auto options = sql::ReadOptions(json, {{"path", {}}, {"table", "outbox_event"}});
  if (options["path"].empty()) throw Error(OUTBOX_BAD_CONFIG, "options: 'path' is empty");
  // A database file has one schema; what SQLite calls one is another file.
  if (options["table"].find('.') != std::string::npos)
    throw Error(OUTBOX_BAD_CONFIG, "options: 'table' is a name without a schema on SQLite");
  return options;
}

sql::LeaseDialect Dialect() {
  return {kNow, [](const std::string& by) { return std::string(kNow) + " + " + by; },
          [](const std::string& expires, const std::string& now) { return "(" + expires + " - " + now + ")"; }, ""};
}

std::vector<long long> Ids(RowIds rows) {
  std::vector<long long> ids;
  ids.reserve(rows.size());
  for (const std::string_view row : rows)
    if (const auto id = sql::ParseId(row)) ids.push_back(*id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

Config::Config(const std::string& json, const outbox_host*) : Config(ReadConfig(json)) {}

Config::Config(std::map<std::string, std::string, std::less<>> options)
    : path(std::move(options["path"])), tables(options["table"]), leases(tables, Dialect()) {}

struct Adapter::Writing {
  Writing(Connection& db, const sql::Tables& t)
      : remove(db, "delete from " + t.event + " where id between ?1 and ?2"),
        forget(db, "delete from " + t.retry + " where row_id = ?1"),
        troubled(db, "select 1 from " + t.retry + " limit 1") {}
  Prepared remove, forget, troubled;
};

struct Adapter::Inserting {
  Inserting(Connection& db, const sql::Tables& t)
      : named(db, "insert into " + t.event +
                      " (topic, aggregate_id, event_type, payload, headers, event_id)"
                      " values (?1, ?2, ?3, ?4, ?5, ?6)"),
        unnamed(db, "insert into " + t.event +
                        " (topic, aggregate_id, event_type, payload, headers)"
                        " values (?1, ?2, ?3, ?4, ?5)") {}
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

void Adapter::ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) {
  Connection& db = Db();
  if (!reader_) reader_ = std::make_unique<Reader>(db, config_->tables);
  reader_->Read(call(), request, batch);
}

void Adapter::ConfirmEvent(RowIds rows) {
  Connection& db = Db();
  if (!writing_) writing_ = std::make_unique<Writing>(db, config_->tables);
  const auto ids = Ids(rows);
  Transaction transaction(db);
  // Ids without a hole between them go in one step, at half the cost.
  for (std::size_t first = 0, next = 0; first < ids.size(); first = next) {
    for (next = first + 1; next < ids.size() && ids[next] == ids[next - 1] + 1; ++next) {
    }
    writing_->remove.Bind(ids[first], ids[next - 1]).Execute();
  }
  const bool troubled = writing_->troubled.Bind().Step();
  writing_->troubled.Reset();
  if (troubled)
    for (const long long id : ids) writing_->forget.Bind(id).Execute();
  transaction.Commit();
}

void Adapter::ConfirmFailed(Failures failures) {
  Connection& db = Db();
  Transaction transaction(db);
  // Under the write lock nobody can take the shard over before this commits.
  if (db.Run({"select 1 from " + config_->tables.shard +
                  " where shard = :shard and token = :token and owner is not null",
              {std::to_string(call().shard), std::to_string(call().token)}})
          .empty())
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call().shard) + " is not leased under this token");
  for (const Failure& failure : failures)
    if (const auto id = sql::ParseId(failure.row_id)) Fail(failure, *id);
  transaction.Commit();
}

void Adapter::Fail(const Failure& failure, long long row) {
  const auto& t = config_->tables;
  const std::string id = std::to_string(row), reason = sql::ToText(failure.reason, kLongestError),
                    text = sql::ToText(failure.text, kLongestError), now = kPeoplesNow;
  if (failure.disposition != Disposition::kDead) {
    const std::string wait = std::to_string(failure.retry_after.count());
    (void)connection_->Run(
        {"insert into " + t.retry +
             " (row_id, aggregate_id, attempts, next_try, first_failed, last_failed, reason, error)"
             " select id, cast(aggregate_id as text), 1, " +
             kNow + " + cast(:wait as integer), " + now + ", " + now + ", :reason, :text from " + t.event +
             " where id = :id on conflict (row_id) do update set"
             " attempts = attempts + 1, next_try = excluded.next_try, last_failed = excluded.last_failed,"
             " reason = excluded.reason, error = excluded.error",
         {failure.disposition == Disposition::kRetry ? sql::Value(wait) : std::nullopt, reason, text, id}});
    return;
  }
  (void)connection_->Run(
      {"insert into " + t.dead +
           " (row_id, event_id, topic, aggregate_id, event_type, payload, headers, created_at,"
           " attempts, first_failed, died_at, reason, error) select e.id, e.event_id, e.topic, e.aggregate_id,"
           " e.event_type, e.payload, e.headers, e.created_at, coalesce(r.attempts, 0) + 1, coalesce(r.first_failed, " +
           now + "), " + now + ", :reason, :text from " + t.event + " e left join " + t.retry +
           " r on r.row_id = e.id where e.id = :id",
       {reason, text, id}});
  (void)connection_->Run({"delete from " + t.event + " where id = :id", {id}});
  (void)connection_->Run({"delete from " + t.retry + " where row_id = :id", {id}});
}

void Adapter::Cancel() noexcept {
  if (connection_) connection_->Cancel();
}

Lease Adapter::Heartbeat(std::string_view relay_id, Millis lease) {
  return config_->leases.Heartbeat(Db(), std::string(relay_id), lease);
}

void Adapter::ReturnShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool leave) {
  config_->leases.Return(Db(), std::string(relay_id), shards, leave);
}

void Adapter::BeginEmit() {
  Connection& db = Db();
  if (!inserting_) inserting_ = std::make_unique<Inserting>(db, config_->tables);
  db.RollBack();
  db.Script("begin immediate");
}

void Adapter::Insert(Events events) {
  Connection& db = Db();
  if (!inserting_ || !db.InTransaction()) throw Error(OUTBOX_INTERNAL, "insert without begin");
  for (const Event& e : events) {
    // The relay would meet it as a failed event later; here somebody is still there who can correct it.
    if (e.headers && !nlohmann::json::parse(*e.headers, nullptr, false).is_object())
      throw Error(OUTBOX_BAD_DATA, "headers must be a JSON object");
    if (e.event_id.empty())
      inserting_->unnamed.Bind(e.topic, e.aggregate_id, e.event_type, e.payload, e.headers).Execute();
    else
      inserting_->named.Bind(e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.event_id).Execute();
  }
}

void Adapter::EndEmit(bool commit) {
  Connection& db = Db();
  if (!commit) return db.RollBack();
  if (!db.InTransaction()) throw Error(OUTBOX_INTERNAL, "the transaction has been rolled back already");
  db.Script("commit");
}

std::string Adapter::PrintSchema(const Config& config, const SchemaWish& wish) {
  return sqlite::PrintSchema(config.tables, wish);
}

void Adapter::ApplySchema(const SchemaWish& wish) { sqlite::ApplySchema(Db(true), config_->tables, wish); }

std::vector<Finding> Adapter::CheckSchema() { return sqlite::CheckSchema(Db(), config_->tables, config_->path); }

Stats Adapter::ReadStats() {
  Connection& db = Db();
  const auto& t = config_->tables;
  const Transaction snapshot(db, "begin");
  Stats stats;
  const std::string there =
      " r where exists (select 1 from " + t.event + " e where e.id = r.row_id) and r.next_try is ";
  const sql::Row row = db.Run({"select cast((select count(*) from (select 1 from " + t.event + " limit " +
                                   std::to_string(kCountedExactly + 1) +
                                   ")) as text),"
                                   " cast((select max(id) from " +
                                   t.event +
                                   ") as text),"
                                   " cast((select min(id) from " +
                                   t.event +
                                   ") as text),"
                                   " cast((select count(*) from " +
                                   t.retry + there +
                                   "not null) as text),"
                                   " cast((select count(*) from " +
                                   t.retry + there +
                                   "null) as text),"
                                   " cast((select count(*) from " +
                                   t.dead + ") as text), cast(" + kNow +
                                   " as text),"
                                   " cast((select created_at from " +
                                   t.event + " order by id limit 1) as text)",
                               {}})
                           .at(0);
  stats.backlog = static_cast<std::uint64_t>(sql::ToNumber(row[0]));
  if (sql::ToNumber(row[0]) > kCountedExactly) {
    stats.backlog_exact = false;
    stats.backlog = static_cast<std::uint64_t>(sql::ToNumber(row[1]) - sql::ToNumber(row[2]) + 1);
  }
  stats.retrying = static_cast<std::uint64_t>(sql::ToNumber(row[3]));
  stats.blocked = static_cast<std::uint64_t>(sql::ToNumber(row[4]));
  stats.dead = static_cast<std::uint64_t>(sql::ToNumber(row[5]));
  if (stats.backlog > 0)
    stats.oldest_age =
        Millis(std::max(0LL, sql::ToNumber(row[6]) - static_cast<long long>(ParseTime(row[7].value_or("")) / 1000)));
  config_->leases.Read(db, stats);
  return stats;
}

void Adapter::ListDead(Bytes after, BatchBuilder& batch) {
  Connection& db = Db();
  Prepared list(
      db, "select row_id, event_id, aggregate_id, event_type, topic, payload, headers, created_at, attempts from " +
              config_->tables.dead + " where row_id > ?1 order by row_id");
  list.Bind(after ? sql::ParseId(*after).value_or(0) : 0);
  while (list.Step()) {
    char room[24];
    const auto end = std::to_chars(room, room + sizeof room, list.Number(0)).ptr;
    if (!batch.Add({{room, static_cast<std::size_t>(end - room)},
                    list.Text(1),
                    list.Maybe(2),
                    list.Text(3),
                    list.Text(4),
                    list.Maybe(5),
                    list.Maybe(6),
                    ToMicros(list, 7),
                    static_cast<std::uint32_t>(list.Number(8))}))
      break;
  }
}

std::uint64_t Adapter::Requeue(RowIds rows) {
  Connection& db = Db();
  const auto& t = config_->tables;
  Prepared copy(db, "insert into " + t.event +
                        " (event_id, topic, aggregate_id, event_type, payload, headers) select"
                        " event_id, topic, aggregate_id, event_type, payload, headers from " +
                        t.dead + " where row_id = ?1");
  Prepared remove(db, "delete from " + t.dead + " where row_id = ?1");
  std::uint64_t changed = 0;
  Transaction transaction(db);
  for (const long long id : Ids(rows)) {
    copy.Bind(id).Execute();
    remove.Bind(id).Execute();
    changed += static_cast<std::uint64_t>(sqlite3_changes(db.raw()));
  }
  transaction.Commit();
  return changed;
}

std::uint64_t Adapter::Discard(RowIds rows) {
  Connection& db = Db();
  Prepared remove(db, "delete from " + config_->tables.dead + " where row_id = ?1");
  std::uint64_t changed = 0;
  Transaction transaction(db);
  for (const long long id : Ids(rows)) {
    remove.Bind(id).Execute();
    changed += static_cast<std::uint64_t>(sqlite3_changes(db.raw()));
  }
  transaction.Commit();
  return changed;
}

void Adapter::Reset() {
  Connection& db = Db();
  const auto& t = config_->tables;
  db.RollBack();
  Transaction transaction(db);
  for (const std::string& table : {t.event, t.retry, t.dead, t.relay}) db.Script("delete from " + table);
  db.Script("update " + t.shard + " set owner = null, state = 'free'");
  transaction.Commit();
}

void Adapter::ExpireLeases() { Db().Script("update " + config_->tables.relay + " set expires = 0"); }

void Adapter::MakeRetriesDue() {
  Db().Script("update " + config_->tables.retry + " set next_try = 0 where next_try is not null");
}

TestState Adapter::StateOf(std::string_view event_id) {
  const auto& t = config_->tables;
  const sql::Rows rows =
      Db().Run({"with wanted as (select :id as id) select cast(case when r.row_id is null then 1 when r.next_try is "
                "null then 3 else"
                " 2 end as text), cast(coalesce(r.attempts, 0) as text) from " +
                    t.event + " e left join " + t.retry +
                    " r on r.row_id = e.id where e.event_id = (select id from wanted) union all select '4', "
                    "cast(attempts as text) from " +
                    t.dead + " where event_id = (select id from wanted)",
                {std::string(event_id)}});
  if (rows.empty()) return {};
  return {static_cast<std::int32_t>(sql::ToNumber(rows[0][0])), static_cast<std::uint32_t>(sql::ToNumber(rows[0][1]))};
}

}  // namespace outbox::sqlite
