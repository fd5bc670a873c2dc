#include "postgres/adapter.hpp"

#include <nlohmann/json.hpp>

#include "postgres/capture.hpp"
#include "postgres/check.hpp"
#include "postgres/dialect.hpp"
#include "postgres/errors.hpp"
#include "postgres/others.hpp"
#include "postgres/role_settings.hpp"
#include "postgres/row_security.hpp"
#include "postgres/schema.hpp"
#include "sql/options.hpp"

namespace outbox::postgres {
namespace {

// Records failures in one statement, which also checks the token, and which records either all of the failures or none.
// Once the statement has been sent, the server completes it, even if the relay is stopped meanwhile. Each row is looked
// up by its id in the list of ids, and the data of its failure by the same id in a JSON object. A join of the list and
// the table compares every pair, because sorts and hashes are disabled. "offset 0" prevents the planner from reversing
// these look-ups.
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
    returning e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at{e.copies}),
  buried as (insert into {dead} (row_id, event_id, topic, aggregate_id, event_type, payload, headers, created_at,
      attempts, first_failed, died_at, reason, error{copies})
    select m.id, m.event_id, m.topic, m.aggregate_id, m.event_type, m.payload, m.headers, m.created_at,
      coalesce(r.attempts, 0) + 1, coalesce(r.first_failed, clock_timestamp()), clock_timestamp(),
      f.failures -> cast(m.id as text) ->> 'reason', f.failures -> cast(m.id as text) ->> 'error'{m.copies}
    from moved m cross join f
      left join lateral (select r.attempts, r.first_failed from {retry} r where r.row_id = m.id and r.event_id = m.event_id offset 0) r on true),
  settled as (delete from {retry} r where r.row_id = any (cast((select ids from dying) as bigint[]))
      and r.event_id = cast((select f.failures -> cast(r.row_id as text) ->> 'event_id' from f) as uuid))
select cast(count(*) as text) from fence)";

// Returns the name of the channel, and whether there is an enabled trigger that notifies it.
constexpr const char* kChannel = R"(
select 'outbox_' || cast(cast(cast('{event}' as regclass) as oid) as text), cast(count(*) as text) from pg_trigger
where tgrelid = cast('{event}' as regclass) and tgname = cast(:name as text) and tgenabled <> 'D')";

constexpr auto kStillThere = std::chrono::seconds(30);

// Returns the schema in which the search path finds the outbox; if it finds none, the schema in which the session
// creates tables. Temporary tables are ignored.
constexpr const char* kHome = R"(
select n.nspname from unnest(current_schemas(false)) with ordinality p (name, place)
  join pg_namespace n on n.nspname = p.name and n.oid <> pg_my_temp_schema()
  left join pg_class c on c.relnamespace = n.oid and c.relname = cast(:table as text)
order by c.oid is null, p.place limit 1)";

// Returns true if the schema's name can be written into statements. A name is not written if a character in it can end
// a literal, or begin a placeholder or a parameter in the relay's SQL; the session then finds the tables through its
// search path.
bool CanBeWritten(const std::string& schema) { return schema.find_first_of("'\":\\{}[]$") == std::string::npos; }

sql::Tables Resolved(const sql::Tables& given, sql::Statements& db) {
  if (!given.schema.empty()) return given;
  const sql::Rows home = db.Run({kHome, {given.captured ? given.captured->table : given.event_name}});
  if (home.empty() || !CanBeWritten(home[0][0].value_or(""))) return given;
  return given.Within(*home[0][0]);
}

}  // namespace

Config::Config(const std::string& json, const outbox_host* host)
    : Config(sql::ReadOptions(json, {{"connection", {}}, {"table", "outbox_event"}}, sql::Capture::kMayCapture),
             sql::ReadSource(json, /*ignore_case=*/false), Secrets(host)) {}

Config::Config(std::map<std::string, std::string, std::less<>> options,
               const std::shared_ptr<const sql::Source>& captured, const Secrets& secrets)
    : tables(secrets.Fill(options["table"]), '"', /*ignore_case=*/false, captured, QuoteColumn),
      connection_(options["connection"]),
      secrets_(secrets) {
  (void)Connection();  // reports errors in the connection string before the first connection
}

Adapter::Opened::Opened(const Config& config, Millis timeout)
    : connection(config.Connection()), client(std::make_unique<Client>(Connect(connection), config.tables, timeout)) {}

Adapter::Adapter(const std::shared_ptr<Config>& config, const Call& call)
    : Adapter(config, Opened(*config, call.timeout)) {}

Adapter::Adapter(const std::shared_ptr<Config>& config, Opened opened)
    : sql::Adapter(Resolved(config->tables, *opened.client), Dialect()),
      config_(config),
      connection_(opened.connection),
      client_(std::move(opened.client)) {}

Adapter::~Adapter() { session_.Leave(*client_); }

// After a cancelled call the connection is in the middle of an answer. A new connection then replaces it, and all state
// that depended on the old connection is discarded.
Client& Adapter::Borrowed() {
  if (client_->cancelled_before()) {
    reader_.reset();
    columns_.reset();
    listing_.reset();
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
    session_ = SessionGuard(db, connection_, tables(), call().timeout);
    postgres::RequireAllRows(db, tables());
    lookout_.Looked();
    db.Own();
  }
  session_.Verify(db);
  return db;
}

void Adapter::RequireAllRows() {
  postgres::RequireAllRows(*client_, tables());
  RequireNoLowIds(*client_, tables());
}

const EventColumns& Adapter::OwnColumns() {
  if (!columns_) columns_ = EventColumns::Read(*client_, tables());
  return *columns_;
}

const sql::Dialect& Adapter::Listing() {
  if (!listing_) listing_ = DialectFor(OwnColumns());
  return *listing_;
}

void Adapter::Read(const ReserveRequest& request, BatchBuilder& batch) {
  if (!reader_) reader_ = std::make_unique<Reader>(*client_, tables(), OwnColumns(), config_->places);
  try {
    reader_->Read(call(), request, batch);
  } catch (const Error& error) {
    if (error.code != OUTBOX_BAD_DATA) throw;
    // The server cannot convert the text of some row to the relay's encoding. This row holds up all others, so the
    // error must not be mistaken for one in the data of a single event.
    throw Error(OUTBOX_BAD_CONFIG,
                std::string(error.what()) + "; the server cannot send a row of " + tables().event +
                    ": correct its text or delete it",
                error.sqlstate);
  }
}

Confirmation& Adapter::Confirming() {
  if (!confirmation_) confirmation_ = std::make_unique<Confirmation>(*client_, tables(), config_->places);
  return *confirmation_;
}

bool Adapter::RecordFailures(std::span<const sql::FailedRow> rows) {
  auto list = nlohmann::json::object();
  for (const sql::FailedRow& row : rows)
    if (!ParseUuid(row.event_id).empty())
      list[std::to_string(row.id)] = {
          {"event_id", row.event_id},
          {"reason", row.reason},
          {"error", row.error},
          {"wait", row.disposition != Disposition::kBlock ? nlohmann::json(row.after.count()) : nullptr},
          {"dead", row.disposition == Disposition::kDead},
          {"delivered", row.disposition == Disposition::kDelivered}};
  const sql::Rows fence =
      client_->Run({tables().In(kFail), {list.dump(), std::to_string(call().shard), std::to_string(call().token)}});
  return sql::ToNumber(fence.at(0)[0]) != 0;
}

// Waits for a notification. The first call begins to listen and returns true at once, because rows may have been
// committed before.
bool Adapter::Wait() {
  Client& db = Db();
  const auto now = std::chrono::steady_clock::now();
  if (!listens_) {
    const sql::Row found = db.Run({tables().In(kChannel), {tables().prefix + kWakeUpTrigger}}).at(0);
    if (found[1] != "1")
      throw Error(OUTBOX_BAD_CONFIG,
                  std::string("the outbox has no trigger that notifies the relay of new rows; ") + sql::kMigrate);
    db.Script("listen " + found[0].value_or(""));
    listens_ = true;
    heard_ = now;
    return true;
  }
  // The connection may have died silently, and a listener sends nothing by itself.
  if (now - heard_ > kStillThere) {
    db.Script("select 1");
    heard_ = now;
  }
  return db.AwaitNotification();
}

void Adapter::Cancel() noexcept { client_->Cancel(); }

void Adapter::Describe(std::vector<outbox::Column>& columns) {
  const std::vector<MappedType> types = RequireTypes(*client_, tables());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    columns[i].kind = types.at(i).kind;
    columns[i].type = types[i].type;
    columns[i].nullable = types[i].nullable;
    columns[i].scale = types[i].scale;
  }
}

std::vector<outbox::Column> Adapter::ColumnsOf(std::string_view table) {
  return sql::ColumnsOf(Borrowed(), std::string(table), '"', kCatalogue);
}

void Adapter::VerifyCapture() {
  sql::RequireCapture(sql::FindingsOf(tables(), LookAtCapture(*client_, tables()), /*ignore_case=*/false),
                      "PostgreSQL");
}

std::string Adapter::PrintSchema(const Config& config, const SchemaOptions& options) {
  return postgres::PrintSchema(config.tables, options);
}

void Adapter::Migrate(const SchemaOptions& options) {
  Client& db = Borrowed();
  RequireSchema(db, tables());
  postgres::ApplySchema(db, tables(), options, call().timeout);
}

bool Adapter::IsDenied(const Error& error) const { return postgres::IsDenied(error.sqlstate); }

std::vector<std::string> Adapter::PlanSchema(const SchemaOptions& options) {
  Client& db = Borrowed();
  RequireSchema(db, tables());
  return postgres::PlanSchema(db, tables(), options);
}

std::vector<Finding> Adapter::CheckSchema() {
  return postgres::CheckSchema(Borrowed(), tables(), connection_, call().timeout);
}

}  // namespace outbox::postgres
