#include "mysql/adapter.hpp"

#include "mysql/check.hpp"
#include "mysql/connect.hpp"
#include "mysql/dialect.hpp"
#include "mysql/errors.hpp"
#include "mysql/list.hpp"
#include "mysql/others.hpp"
#include "mysql/schema.hpp"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

// Sets @outbox_fence to 1 if the shard is leased under the token of the call, and locks the row of the shard until the
// commit. All statements of the transaction are sent at once, so the later statements check the variable and change
// nothing if it is 0.
constexpr const char* kFence = R"(
set @outbox_fence = (select count(*) from {shard}
  where shard = cast(:shard as signed) and token = cast(:token as signed) and owner is not null lock in share mode))";

// Records failures. The server evaluates the assignments in the order in which they are written. attempts comes first,
// because it depends on the event_id that an earlier failure has recorded.
constexpr const char* kKeep = R"(
insert into {retry}
  (row_id, event_id, aggregate_id, attempts, next_try, remove_at, first_failed, last_failed, reason, error)
[failures]select e.id, e.event_id, e.aggregate_id, 1, date_add(sysdate(6), interval f.wait * 1000 microsecond),
  date_add(sysdate(6), interval f.remove * 1000 microsecond), sysdate(6), sysdate(6), f.reason, f.error
from f straight_join {event} e force index (primary) on e.id = f.row_id and [same event] where @outbox_fence = 1
on duplicate key update
  attempts = case when {retry}.event_id = values(event_id) then {retry}.attempts + 1 else 1 end,
  event_id = values(event_id), aggregate_id = values(aggregate_id), next_try = values(next_try),
  remove_at = values(remove_at), last_failed = values(last_failed), reason = values(reason), error = values(error))";

constexpr const char* kBury = R"(
insert into {dead} (row_id, event_id, topic, aggregate_id, event_type, payload, headers, created_at, attempts,
  first_failed, died_at, reason, error{copies})
[failures]select e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at,
  coalesce(r.attempts, 0) + 1, coalesce(r.first_failed, sysdate(6)), sysdate(6), f.reason, f.error{e.copies}
from f straight_join {event} e force index (primary) on e.id = f.row_id and [same event]
  left join {retry} r on r.row_id = e.id and r.event_id = e.event_id
where @outbox_fence = 1)";

// Builds a table of failures that a statement can join. MySQL and MariaDB read a list of values in half the time that
// they need for a union of the same number of selects.
class FailureList {
 public:
  explicit FailureList(bool is_mariadb) : row_(is_mariadb ? "(" : "row(") {}

  void Add(const sql::FailedRow& row) {
    const auto after_if = [&row](Disposition which) {
      const auto after = row.AfterIf(which);
      return after ? std::to_string(*after) : "null";
    };
    list_ += (list_.empty() ? "" : ",") + row_ + std::to_string(row.id) + ",:event,:reason,:error," +
             after_if(Disposition::kRetry) + "," + after_if(Disposition::kDelivered) + ")";
    values_.insert(values_.end(), {std::string(row.event_id), row.reason, row.error});
    rows_.push_back({row.id, row.event_id});
  }
  [[nodiscard]] const std::vector<sql::OutboxRow>& rows() const { return rows_; }
  [[nodiscard]] sql::Statement In(const sql::Tables& tables, const char* sql) const {
    const std::string table = "with f (row_id, event_id, reason, error, wait, remove) as (values " + list_ + ")\n";
    return {
        tables.In(sql::Fill(sql, {{"[failures]", table}, {"[same event]", SameEventId("e.event_id", "f.event_id")}})),
        values_};
  }

 private:
  const std::string row_;
  std::string list_;
  std::vector<sql::Value> values_;
  std::vector<sql::OutboxRow> rows_;
};

}  // namespace

Config::Config(const std::string& json, const outbox_host* host)
    : Config(json, Secrets(host), Options(json, Secrets(host))) {}

Config::Config(const std::string& json, const Secrets& secrets, const Options& options)
    : tables(TablesOf(options)), json_(json), secrets_(secrets) {}

Adapter::Adapter(std::shared_ptr<Config> config, const Call& call)
    : sql::Adapter(config->tables, Dialect()),
      config_(std::move(config)),
      options_(config_->CurrentOptions()),
      client_(Connect(options_, call.timeout), config_->tables),
      reader_(client_, config_->tables, config_->troubled),
      confirmation_(client_, config_->tables, config_->troubled) {}

Adapter::~Adapter() = default;

Client& Adapter::Db() {
  if (client_.given_up()) client_.Adopt(Connect(options_, call().timeout));
  client_.Begin(call().timeout);
  return client_;
}

void Adapter::Cancel() noexcept { client_.Cancel(); }

void Adapter::RequireAllRows() { mysql::RequireAllRows(client_, tables()); }

bool Adapter::RecordFailures(std::span<const sql::FailedRow> rows) {
  const bool is_mariadb = client_.server().is_mariadb;
  FailureList kept(is_mariadb), dead(is_mariadb);
  for (const sql::FailedRow& row : rows) (row.disposition == Disposition::kDead ? dead : kept).Add(row);
  const auto& t = tables();
  std::vector<sql::Statement> steps{{t.In(kFence), {std::to_string(call().shard), std::to_string(call().token)}}};
  if (!kept.rows().empty()) steps.push_back(kept.In(t, kKeep));
  if (!dead.rows().empty()) {
    const std::string fenced = " where @outbox_fence = 1";
    steps.push_back(dead.In(t, kBury));
    steps.push_back({DeleteRows(t.event, "id", dead.rows(), is_mariadb) + fenced, {}});
    steps.push_back({DeleteRows(t.retry, "row_id", dead.rows(), is_mariadb) + fenced, {}});
  }
  steps.push_back({"select @outbox_fence", {}});
  config_->troubled = true;
  return sql::ToNumber(client_.RunTogether(steps).back().at(0)[0]) != 0;
}

std::string Adapter::PayloadOfDead() { return PayloadFromBlob(client_, tables()); }

const std::vector<MappedType>& Adapter::Types() {
  if (!types_) {
    types_ = TypesOf(tables(), LookAtSource(client_, tables()));
    reader_.Capture(ReadColumns(tables(), *types_), *types_);
  }
  return *types_;
}

void Adapter::Read(const ReserveRequest& request, BatchBuilder& batch) {
  if (tables().captured) (void)Types();
  reader_.Read(call(), request, batch);
}

const sql::Dialect& Adapter::Listing() {
  if (!tables().captured) return mysql::Dialect();
  if (!listing_) {
    listing_ = mysql::Dialect();
    listing_->columns = ReadColumns(tables(), Types());
    listing_->written = [types = Types()](std::size_t column, const std::string& value) {
      return Written(types.at(column), value);
    };
  }
  return *listing_;
}

void Adapter::Describe(std::vector<outbox::Column>& columns) {
  const SourceLook look = LookAtSource(client_, tables());
  const std::vector<MappedType> types = look.there ? RequireTypes(tables(), look) : TypesOf(tables(), look);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    columns[i].kind = types.at(i).kind;
    columns[i].type = types[i].type;
    columns[i].nullable = types[i].nullable;
    columns[i].scale = types[i].scale;
  }
}

std::vector<outbox::Column> Adapter::ColumnsOf(std::string_view table) {
  return sql::ColumnsOf(Db(), std::string(table), '`', CatalogueOf(client_));
}

void Adapter::VerifyCapture() { sql::RequireCapture(FindCapture(client_, tables()), "MySQL"); }

// Returns the schema as a script. The script for a captured table depends on the types of that table's columns, so a
// connection is needed.
std::string Adapter::PrintSchema(const Config& config, const SchemaOptions& options) {
  const sql::Tables& t = config.tables;
  if (!t.captured) return mysql::PrintSchema(t, options, {});
  constexpr Millis kTimeout{10'000};
  Client client(Connect(config.CurrentOptions(), kTimeout), t);
  client.Begin(kTimeout);
  return mysql::PrintSchema(t, options, LookAtSource(client, t));
}

void Adapter::Migrate(const SchemaOptions& options) { mysql::ApplySchema(Db(), tables(), options, call().timeout); }

bool Adapter::IsDenied(const Error& error) const { return mysql::IsDenied(static_cast<unsigned>(error.native_code)); }

std::vector<std::string> Adapter::PlanSchema(const SchemaOptions& options) {
  return mysql::PlanSchema(Db(), tables(), options);
}

std::vector<Finding> Adapter::CheckSchema() { return mysql::CheckSchema(Db(), tables()); }

}  // namespace outbox::mysql
