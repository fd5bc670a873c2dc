#include "mysql/adapter.hpp"

#include <algorithm>

#include "mysql/connect.hpp"
#include "mysql/list.hpp"
#include "mysql/others.hpp"
#include "outbox/text.hpp"
#include "sql/row_id.hpp"
#include "sql/schema.hpp"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

constexpr std::size_t kMaxReason = 255, kMaxError = 1000;

sql::LeaseDialect Dialect() {
  return {"sysdate(6)",
          "date_add(sysdate(6), interval cast(:lease as signed) * 1000 microsecond)",
          "timestampdiff(microsecond, t.at, r.expires) div 1000",
          " for update",
          "char",
          "div"};
}

// Every later statement of the transaction does nothing without it: all of them are sent at once.
constexpr const char* kFence = R"(
set @outbox_fence = (select count(*) from {shard}
  where shard = cast(:shard as signed) and token = cast(:token as signed) and owner is not null lock in share mode))";

// attempts first: the assignments are made in this order.
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
  first_failed, died_at, reason, error)
[failures]select e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at,
  coalesce(r.attempts, 0) + 1, coalesce(r.first_failed, sysdate(6)), sysdate(6), f.reason, f.error
from f straight_join {event} e force index (primary) on e.id = f.row_id and [same event]
  left join {retry} r on r.row_id = e.id and r.event_id = e.event_id
where @outbox_fence = 1)";

// Failures as a table that a statement can join. Both servers read a list of values in half the time that they need for a
// union of as many selects.
class FailureList {
 public:
  explicit FailureList(bool is_mariadb) : row_(is_mariadb ? "(" : "row(") {}

  void Add(long long id, const Failure& failure) {
    const std::string after = std::to_string(failure.retry_after.count());
    const auto after_if = [&](Disposition which) { return failure.disposition == which ? after : std::string("null"); };
    list_ += (list_.empty() ? "" : ",") + row_ + std::to_string(id) + ",:event,:reason,:error," +
             after_if(Disposition::kRetry) + "," + after_if(Disposition::kDelivered) + ")";
    values_.insert(values_.end(), {std::string(failure.event_id), ToText(failure.reason, kMaxReason),
                                   ToText(failure.text, kMaxError)});
    rows_.push_back({id, failure.event_id});
  }
  [[nodiscard]] const std::vector<ListedRow>& rows() const { return rows_; }
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
  std::vector<ListedRow> rows_;
};

}  // namespace

std::vector<long long> SortedIds(RowIds rows) {
  std::vector<long long> ids;
  ids.reserve(rows.size());
  for (const std::string_view row : rows)
    if (const auto id = sql::ParseId(row)) ids.push_back(*id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

Config::Config(const std::string& json, const outbox_host* host)
    : Config(json, Secrets(host), Options(json, Secrets(host)).table) {}

Config::Config(const std::string& json, const Secrets& secrets, const std::string& table)
    : tables(table, '`', /*ignore_case=*/true),
      leases(tables, Dialect()),
      poison_marks(tables, Dialect()),
      json_(json),
      secrets_(secrets) {}

Adapter::Adapter(std::shared_ptr<Config> config, const Call& call)
    : config_(std::move(config)),
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

// A view in a table's place may leave rows out, and no read reaches ids below 1. Then reads find nothing and say nothing,
// and an outbox is shown as empty and its events as gone.
void Adapter::LookForHiddenRows(Client& db) {
  if (!lookout_.Due()) return;
  RequireAllRows(db, config_->tables);
  lookout_.Looked();
}

void Adapter::ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) {
  LookForHiddenRows(Db());
  reader_.Read(call(), request, batch);
}

void Adapter::ConfirmEvent(ConfirmedRows rows, KeptRows& kept) {
  Db();
  confirmation_.Confirm(rows, kept);
}

std::uint64_t Adapter::RemoveDelivered(RowIds rows, Millis again) {
  Db();
  return confirmation_.RemoveDelivered(rows, again);
}

void Adapter::ConfirmFailed(Failures failures) {
  Client& db = Db();
  const bool is_mariadb = db.server().is_mariadb;
  FailureList kept(is_mariadb), dead(is_mariadb);
  for (const Failure& failure : failures)
    if (const auto id = sql::ParseId(failure.row_id))
      (failure.disposition == Disposition::kDead ? dead : kept).Add(*id, failure);
  const auto& t = config_->tables;
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
  if (sql::ToNumber(db.RunTogether(steps).back().at(0)[0]) == 0)
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call().shard) + " is not leased under this token");
}

void Adapter::Cancel() noexcept { client_.Cancel(); }

Client& Adapter::OwnDb(sql::Access access) {
  Client& db = Db();
  if (!own_) own_ = sql::RequireOwn(db, config_->tables, db.server().ignores_case, access);
  return db;
}

Lease Adapter::Heartbeat(std::string_view relay_id, Millis lease) {
  Client& db = OwnDb();
  Lease held = config_->leases.Heartbeat(db, std::string(relay_id), lease);
  // With a shard, the session that reads looks for itself.
  if (held.owned.empty()) LookForHiddenRows(db);
  return held;
}

void Adapter::ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool deregister) {
  config_->leases.Return(Db(), std::string(relay_id), shards, deregister);
}

}  // namespace outbox::mysql
