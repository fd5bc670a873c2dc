#include "sqlite/adapter.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "sql/fill.hpp"
#include "sql/options.hpp"
#include "sql/text.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

constexpr std::size_t kLongestError = 1000;
// Of the write lock; writing to the disk comes on top.
constexpr auto kLongestDelete = std::chrono::milliseconds(10);
constexpr std::size_t kRowsPerStep = 16;
// The lock is not queued for: those who wait try again now and then, and would never find it free.
constexpr auto kTurnOfOthers = std::chrono::milliseconds(2);

std::map<std::string, std::string, std::less<>> ReadConfig(const std::string& json) {
  auto options = sql::ReadOptions(json, {{"path", {}}, {"table", "outbox_event"}});
  if (options["path"].empty()) throw Error(OUTBOX_BAD_CONFIG, "options: 'path' is empty");
  // A database file has one schema; what SQLite calls one is another file.
  if (options["table"].find('.') != std::string::npos)
    throw Error(OUTBOX_BAD_CONFIG, "options: 'table' is a name without a schema on SQLite");
  return options;
}

sql::LeaseDialect Dialect() {
  return {kNow, std::string(kNow) + " + cast(:lease as integer)", "(r.expires - t.at)", ""};
}

constexpr const char* kFence = "select 1 from {shard} where shard = :shard and token = :token and owner is not null";

constexpr const char* kKeep = R"(
insert into {retry} (row_id, aggregate_id, attempts, next_try, first_failed, last_failed, reason, error)
select id, cast(aggregate_id as text), 1, [now] + cast(:wait as integer), [people], [people], :reason, :text
from {event} where id = :id
on conflict (row_id) do update set attempts = attempts + 1, next_try = excluded.next_try,
  last_failed = excluded.last_failed, reason = excluded.reason, error = excluded.error)";

constexpr const char* kBury = R"(
insert into {dead} (row_id, event_id, topic, aggregate_id, event_type, payload, headers, created_at, attempts,
  first_failed, died_at, reason, error)
select e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at,
  coalesce(r.attempts, 0) + 1, coalesce(r.first_failed, [people]), [people], :reason, :text
from {event} e left join {retry} r on r.row_id = e.id where e.id = :id)";

}  // namespace

Config::Config(const std::string& json, const outbox_host*) : Config(ReadConfig(json)) {}

Config::Config(std::map<std::string, std::string, std::less<>> options)
    : path(std::move(options["path"])),
      tables(options["table"]),
      leases(tables, Dialect()),
      suspects(tables, Dialect()) {}

struct Adapter::Writing {
  Writing(Connection& db, const sql::Tables& t)
      : remove(db, t.In("delete from {event} where id between ?1 and ?2")),
        forget(db, t.In("delete from {retry} where row_id = ?1")),
        troubled(db, t.In("select 1 from {retry} limit 1")) {}
  Prepared remove, forget, troubled;
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

void Adapter::ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) {
  Connection& db = Db();
  if (!reader_) reader_ = std::make_unique<Reader>(db, config_->tables);
  reader_->Read(call(), request, batch);
}

void Adapter::ConfirmEvent(RowIds rows) {
  Connection& db = Db();
  if (!writing_) writing_ = std::make_unique<Writing>(db, config_->tables);
  std::vector<long long> ids;
  ids.reserve(rows.size());
  for (const std::string_view row : rows)
    if (const auto id = sql::ParseId(row)) ids.push_back(*id);
  std::sort(ids.begin(), ids.end());

  std::span<const long long> left(ids);
  for (;;) {
    left = left.subspan(ConfirmSome(db, left));
    if (left.empty()) return;
    std::this_thread::sleep_for(kTurnOfOthers);
  }
}

// Returns how many. The application's writers wait for the end of the transaction, so it is a short one, however many
// rows there are and however large.
std::size_t Adapter::ConfirmSome(Connection& db, std::span<const long long> ids) {
  Transaction transaction(db);
  const auto begun = std::chrono::steady_clock::now();
  std::size_t done = 0;
  while (done < ids.size() && std::chrono::steady_clock::now() - begun < kLongestDelete) {
    // Ids without a hole between them go in one step, at half the cost.
    std::size_t next = done + 1;
    while (next < ids.size() && next - done < kRowsPerStep && ids[next] == ids[next - 1] + 1) ++next;
    writing_->remove.Bind(ids[done], ids[next - 1]).Execute();
    done = next;
  }
  const bool troubled = writing_->troubled.Bind().Step();
  writing_->troubled.Reset();
  if (troubled)
    for (const long long id : ids.first(done)) writing_->forget.Bind(id).Execute();
  transaction.Commit();
  return done;
}

void Adapter::ConfirmFailed(Failures failures) {
  Connection& db = Db();
  Transaction transaction(db);
  // Under the write lock nobody can take the shard over before this commits.
  if (db.Run({config_->tables.In(kFence), {std::to_string(call().shard), std::to_string(call().token)}}).empty())
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call().shard) + " is not leased under this token");
  for (const Failure& failure : failures)
    if (const auto id = sql::ParseId(failure.row_id)) Fail(failure, std::to_string(*id));
  transaction.Commit();
}

void Adapter::Fail(const Failure& failure, const std::string& row) {
  const std::string reason = sql::ToText(failure.reason, kLongestError),
                    text = sql::ToText(failure.text, kLongestError);
  const auto sql = [&](const char* statement) {
    return config_->tables.In(sql::Fill(statement, {{"[now]", kNow}, {"[people]", kPeoplesNow}}));
  };
  if (failure.disposition == Disposition::kDead) {
    (void)connection_->Run({sql(kBury), {reason, text, row}});
    (void)connection_->Run({sql("delete from {event} where id = :id"), {row}});
    (void)connection_->Run({sql("delete from {retry} where row_id = :id"), {row}});
    return;
  }
  const bool again = failure.disposition == Disposition::kRetry;
  const sql::Value wait = again ? sql::Value(std::to_string(failure.retry_after.count())) : std::nullopt;
  (void)connection_->Run({sql(kKeep), {wait, reason, text, row}});
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

// The first call tells of what was committed before it.
bool Adapter::Wait() {
  Connection& db = Db();
  if (watch_) return watch_->Wait();
  watch_ = std::make_unique<Watch>(db);
  return true;
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
