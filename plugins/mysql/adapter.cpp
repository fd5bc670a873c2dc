#include "mysql/adapter.hpp"

#include <algorithm>

#include "mysql/connect.hpp"
#include "mysql/list.hpp"
#include "sql/fill.hpp"
#include "sql/text.hpp"

namespace outbox::mysql {
namespace {

constexpr std::size_t kLongestReason = 255, kLongestError = 1000;

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
insert into {retry} (row_id, event_id, aggregate_id, attempts, next_try, first_failed, last_failed, reason, error)
select e.id, e.event_id, e.aggregate_id, 1, date_add(sysdate(6), interval f.wait * 1000 microsecond), sysdate(6),
  sysdate(6), f.reason, f.error
from ([failures]) f join {event} e on e.id = f.row_id where @outbox_fence = 1 order by e.id
on duplicate key update
  attempts = case when {retry}.event_id = values(event_id) then {retry}.attempts + 1 else 1 end,
  event_id = values(event_id), aggregate_id = values(aggregate_id), next_try = values(next_try),
  last_failed = values(last_failed), reason = values(reason), error = values(error))";

constexpr const char* kBury = R"(
insert into {dead} (row_id, event_id, topic, aggregate_id, event_type, payload, headers, created_at, attempts,
  first_failed, died_at, reason, error)
select e.id, e.event_id, e.topic, e.aggregate_id, e.event_type, e.payload, e.headers, e.created_at,
  coalesce(r.attempts, 0) + 1, coalesce(r.first_failed, sysdate(6)), sysdate(6), f.reason, f.error
from ([failures]) f join {event} e on e.id = f.row_id
  left join {retry} r on r.row_id = e.id and r.event_id = e.event_id
where @outbox_fence = 1 order by e.id)";

constexpr const char* kSettle = "delete from {retry} where row_id in ([ids]) and @outbox_fence = 1";

// Failures as a table that a statement can join.
struct FailureList {
  std::string select;
  std::vector<sql::Value> values;
  std::vector<long long> ids;

  void Add(long long id, const Failure& failure) {
    select += select.empty() ? "" : " union all ";
    select +=
        "select cast(:row as signed) as row_id, :reason as reason, :error as error, cast(:wait as signed) as wait";
    const bool again = failure.disposition == Disposition::kRetry;
    values.insert(values.end(), {std::to_string(id), sql::ToText(failure.reason, kLongestReason),
                                 sql::ToText(failure.text, kLongestError),
                                 again ? sql::Value(std::to_string(failure.retry_after.count())) : std::nullopt});
    ids.push_back(id);
  }
  [[nodiscard]] sql::Statement In(const sql::Tables& tables, const char* sql) const {
    return {tables.In(sql::Fill(sql, {{"[failures]", select}})), values};
  }
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

Config::Config(const std::string& json, const outbox_host*)
    : options(json), tables(options.table, '`'), leases(tables, Dialect()), suspects(tables, Dialect()) {}

Adapter::Adapter(std::shared_ptr<Config> config, const Call& call)
    : config_(std::move(config)),
      wire_(Connect(config_->options, call.timeout), config_->tables),
      reader_(wire_, config_->tables, config_->troubled) {}

Adapter::~Adapter() = default;

Wire& Adapter::Db() {
  if (wire_.given_up()) wire_.Adopt(Connect(config_->options, call().timeout));
  wire_.Begin(call().timeout);
  return wire_;
}

void Adapter::ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) {
  Db();
  reader_.Read(call(), request, batch);
}

// Sorted, so that two relays that delete the same rows meet them in the same order.
void Adapter::ConfirmEvent(RowIds rows) {
  Wire& db = Db();
  const auto& t = config_->tables;
  const std::vector<long long> ids = SortedIds(rows);
  for (std::size_t first = 0; first < ids.size(); first += kIdsPerDelete) {
    const auto some = std::span(ids).subspan(first, std::min(kIdsPerDelete, ids.size() - first));
    const std::string remove = DeleteEvents(t, some, db.server().is_mariadb);
    if (config_->troubled)
      (void)db.RunTogether({{remove, {}}, {"delete from " + t.retry + " where row_id in (" + Listed(some) + ")", {}}});
    else
      db.Execute(remove);
  }
}

void Adapter::ConfirmFailed(Failures failures) {
  FailureList kept, dead;
  for (const Failure& failure : failures)
    if (const auto id = sql::ParseId(failure.row_id))
      (failure.disposition == Disposition::kDead ? dead : kept).Add(*id, failure);
  Wire& db = Db();
  const auto& t = config_->tables;
  std::vector<sql::Statement> steps{{t.In(kFence), {std::to_string(call().shard), std::to_string(call().token)}}};
  if (!kept.ids.empty()) steps.push_back(kept.In(t, kKeep));
  if (!dead.ids.empty()) {
    steps.push_back(dead.In(t, kBury));
    steps.push_back({DeleteEvents(t, dead.ids, db.server().is_mariadb) + " where @outbox_fence = 1", {}});
    steps.push_back({t.In(sql::Fill(kSettle, {{"[ids]", Listed(dead.ids)}})), {}});
  }
  steps.push_back({"select @outbox_fence", {}});
  config_->troubled = true;
  if (sql::ToNumber(db.RunTogether(steps).back().at(0)[0]) == 0)
    throw Error(OUTBOX_LEASE_LOST, "shard " + std::to_string(call().shard) + " is not leased under this token");
}

void Adapter::Cancel() noexcept { wire_.Cancel(); }

Lease Adapter::Heartbeat(std::string_view relay_id, Millis lease) {
  return config_->leases.Heartbeat(Db(), std::string(relay_id), lease);
}

void Adapter::ReturnShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool leave) {
  config_->leases.Return(Db(), std::string(relay_id), shards, leave);
}

}  // namespace outbox::mysql
