#include "sqlite/adapter.hpp"

#include "outbox/secrets.hpp"
#include "sql/options.hpp"
#include "sql/sql_template.hpp"
#include "sqlite/capture.hpp"
#include "sqlite/dialect.hpp"
#include "sqlite/schema.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

std::map<std::string, std::string, std::less<>> ReadConfig(const std::string& json, const Secrets& secrets) {
  auto options = sql::ReadOptions(json, {{"path", {}}, {"table", "outbox_event"}}, sql::Capture::kMayCapture);
  for (auto& [key, value] : options) value = secrets.Fill(value);
  if (options["path"].empty()) throw Error(OUTBOX_BAD_CONFIG, "options: 'path' is empty");
  const auto holds = [&options](char c) { return options["path"].find(c) != std::string::npos; };
  if (holds('=') && holds('"'))
    throw Error(
        OUTBOX_BAD_CONFIG,
        "options: 'path' contains both = and a quotation mark, and SQLite cannot open it; rename the file or folder");
  // A database file has only one schema. SQLite interprets a name before a dot as the name of another, attached file.
  if (options["table"].find('.') != std::string::npos)
    throw Error(OUTBOX_BAD_CONFIG, "options: 'table' must be a name without a schema on SQLite");
  return options;
}

constexpr const char* kFence = "select 1 from {shard} where shard = :shard and token = :token and owner is not null";

// Parameters: ?1 row id, ?2 milliseconds until the event is due (negative = never), ?3 reason, ?4 error, ?5 event id,
// ?6 milliseconds until the removal of the row is due (negative = never).
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

// Parameters: ?1 row id, ?2 reason, ?3 error, ?4 event id.
constexpr const char* kBury = R"(
insert into {dead} (row_id, event_id, topic, aggregate_id, event_type, payload, headers, created_at, attempts,
  first_failed, died_at, reason, error{copies})
select e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at,
  coalesce(r.attempts, 0) + 1, coalesce(r.first_failed, [people]), [people], ?2, ?3{e.copies}
from {event} e left join {retry} r on r.row_id = e.id and (r.event_id is null or r.event_id = [its event id])
where e.id = ?1 and [its event id] = ?4)";

// Parameters: ?1 row id, ?2 event id.
constexpr const char* kDrop = "delete from {event} where id = ?1 and [event id] = ?2";
// Deletes the record of an event's failure. The record of another event with the same row id stays.
constexpr const char* kSettle = "delete from {retry} where row_id = ?1 and (event_id is null or event_id = ?2)";

std::string Filled(const sql::Tables& t, const char* sql) {
  return t.In(sql::Fill(sql, {{"[event id]", kEventId},
                              {"[its event id]", "ifnull(cast(e.event_id as text), '')"},
                              {"[now]", kNow},
                              {"[people]", kPeoplesNow}}));
}

}  // namespace

Config::Config(const std::string& json, const outbox_host* host)
    : Config(ReadConfig(json, Secrets(host)), sql::ReadSource(json, /*ignore_case=*/true)) {}

Config::Config(std::map<std::string, std::string, std::less<>> options,
               const std::shared_ptr<const sql::Source>& captured)
    : path(std::move(options["path"])), tables(options["table"], '"', /*ignore_case=*/true, captured) {}

struct Adapter::Failing {
  Failing(Connection& db, const sql::Tables& t)
      : record_(db, Filled(t, kKeep)),
        insert_dead_(db, Filled(t, kBury)),
        delete_event_(db, Filled(t, kDrop)),
        delete_retry_(db, Filled(t, kSettle)) {}

  void Record(const sql::FailedRow& row) {
    const std::string_view reason = row.reason, error = row.error;
    if (row.disposition == Disposition::kDead) {
      insert_dead_.Bind(row.id, reason, error, row.event_id).Execute();
      delete_event_.Bind(row.id, row.event_id).Execute();
      delete_retry_.Bind(row.id, row.event_id).Execute();
      return;
    }
    record_
        .Bind(row.id, row.AfterIf(Disposition::kRetry).value_or(-1), reason, error, row.event_id,
              row.AfterIf(Disposition::kDelivered).value_or(-1))
        .Execute();
  }

 private:
  Prepared record_, insert_dead_, delete_event_, delete_retry_;
};

struct Adapter::Inserting {
  Inserting(Connection& db, const sql::Tables& t)
      : named(db, t.In("insert into {event} (topic, aggregate_id, event_type, payload, headers, event_id)"
                       " values (?1, ?2, ?3, ?4, ?5, ?6)")),
        unnamed(db, t.In("insert into {event} (topic, aggregate_id, event_type, payload, headers)"
                         " values (?1, ?2, ?3, ?4, ?5)")) {}
  Prepared named, unnamed;
};

Adapter::Adapter(std::shared_ptr<Config> config) : sql::Adapter(config->tables, Dialect()), config_(std::move(config)) {
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

void Adapter::RequireAllRows() { sqlite::RequireAllRows(*connection_, tables()); }

void Adapter::Read(const ReserveRequest& request, BatchBuilder& batch) {
  if (!reader_) reader_ = std::make_unique<Reader>(*connection_, tables());
  reader_->Read(call(), request, batch);
}

// Returns the confirmation, which prepares its statements on first use. The preparation fails if a trigger names a
// table that does not exist any more, because SQLite compiles triggers together with the statement that fires them.
Confirmation& Adapter::Confirming() {
  try {
    if (!confirmation_) confirmation_ = std::make_unique<Confirmation>(*connection_, tables());
  } catch (const Error& error) {
    throw Confirmation::Judged(error, tables());
  }
  return *confirmation_;
}

bool Adapter::RecordFailures(std::span<const sql::FailedRow> rows) {
  if (!failing_) failing_ = std::make_unique<Failing>(*connection_, tables());
  Transaction transaction(*connection_);
  // The transaction holds the write lock, so no other relay can gain the shard before the transaction commits.
  const sql::Statement fence{tables().In(kFence), {std::to_string(call().shard), std::to_string(call().token)}};
  if (connection_->Run(fence).empty()) return false;
  for (const sql::FailedRow& row : rows) failing_->Record(row);
  transaction.Commit();
  return true;
}

void Adapter::Cancel() noexcept {
  if (connection_) connection_->Cancel();
}

// Waits for a commit of another connection. The first call returns true at once, because rows may have been committed
// before the watch began.
bool Adapter::Wait() {
  Connection& db = Db(false);
  if (watch_) return watch_->Wait();
  watch_ = std::make_unique<Watch>(db);
  return true;
}

const sql::Dialect& Adapter::Listing() {
  if (!tables().captured) return Dialect();
  if (!listing_) {
    listing_ = Dialect();
    ListColumns(*connection_, tables(), *listing_);
  }
  return *listing_;
}

void Adapter::Describe(std::vector<outbox::Column>& columns) {
  sqlite::DescribeColumns(*connection_, tables(), columns);
}

void Adapter::VerifyCapture() { sql::RequireCapture(FindCapture(*connection_, tables()), "SQLite"); }

void Adapter::PrepareInsert() {
  if (!inserting_) inserting_ = std::make_unique<Inserting>(*connection_, tables());
}

void Adapter::InsertAll(Events events) {
  for (const Event& e : events) {
    Prepared& insert = e.event_id.empty() ? inserting_->unnamed : inserting_->named;
    if (e.event_id.empty())
      insert.Bind(e.topic, e.aggregate_id, e.event_type, e.payload, e.headers).Execute();
    else
      insert.Bind(e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.event_id).Execute();
  }
}

std::string Adapter::PrintSchema(const Config& config, const SchemaOptions& options) {
  return sqlite::PrintSchema(config.tables, options);
}

void Adapter::Migrate(const SchemaOptions& options) { sqlite::ApplySchema(Db(true), tables(), options); }

std::vector<std::string> Adapter::PlanSchema(const SchemaOptions& options) {
  return sqlite::PlanSchema(Db(true), tables(), options);
}

std::vector<outbox::Column> Adapter::ColumnsOf(std::string_view table) {
  return sql::ColumnsOf(Db(false), std::string(table), '"', kCatalogue);
}

std::vector<Finding> Adapter::CheckSchema() { return sqlite::CheckSchema(Db(false), tables(), config_->path); }

Statistics Adapter::Count(sql::Session& db) {
  const Transaction snapshot(*connection_, "begin");
  return sql::Adapter::Count(db);
}

void Adapter::List(const Query& query, const Found& found) {
  sql::Adapter::List(query, [&found](Record record) {
    if (record.shard > 0) record.shard = ShardOf(record.event.row_id.number(), record.event.aggregate_id, record.shard);
    return found(record);
  });
}

}  // namespace outbox::sqlite
