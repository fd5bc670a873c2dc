#include "sql/counts.hpp"

#include <algorithm>

#include "sql/sql_template.hpp"
#include "sql/time.hpp"

namespace outbox::sql {
namespace {

constexpr std::uint64_t kVisited = 100'000;  // the largest number of rows that is counted exactly
// Number of rows, lowest ids first, among which the oldest event is searched for. Times of creation rise with the ids
// only roughly, and may be arbitrary, so the row with the lowest id may not be the oldest.
constexpr int kOldestOf = 1'000;

// Counts all kinds of failures in one pass, because each failure is looked up in the outbox.
constexpr const char* kCounts = R"(
select cast((select count(*) from (select 1 as one from {event} [visited]) l) as [text]), cast([estimate] as [text]),
  cast(f.retrying as [text]), cast(f.blocked as [text]), cast((select count(*) from {dead}) as [text]),
  cast([shown now] as [text]), cast(f.undeletable as [text])
from (select count(case when r.next_try is not null then 1 end) as retrying,
    count(case when r.next_try is null and r.remove_at is null then 1 end) as blocked,
    count(r.remove_at) as undeletable
  from {retry} r where [there]) f)";

// Each look-up is a scalar subquery, so that a planner with outdated statistics cannot turn it into a join that
// compares each event with each failure. next_try occurs only inside an expression, so that the index on next_try is
// not used for a look-up by row or key.
constexpr const char* kThere = "(select 1 from {event} e where e.id = r.row_id[same failure]) is not null";
constexpr const char* kBlocked = "min(case when r.next_try is null then 0 else 1 end)";
// An undeletable event was delivered, so its age does not count, and it holds back no other event.
constexpr const char* kHoldsBack = "min(case when r.next_try is null and r.remove_at is null then 0 else 1 end)";
constexpr const char* kCreated = R"(
select cast([time] as [text])
from (select id, event_id, aggregate_id, created_at from {event} order by id [visited]) e
where coalesce((select [blocked] from {retry} r where r.row_id = e.id[same failure]), 1) = 1
  and coalesce((select [holds back] from {retry} r where [behind]), 1) = 1
order by e.id [oldest of])";

std::uint64_t Count(const Value& value) { return static_cast<std::uint64_t>(ToNumber(value)); }

}  // namespace

void ReadCounts(Statements& db, const Tables& tables, const Dialect& d, Statistics& stats) {
  const auto sql = [&](const char* text) {
    return d.In(tables, Fill(text, {{"[there]", kThere},
                                    {"[blocked]", kBlocked},
                                    {"[holds back]", kHoldsBack},
                                    {"[time]", d.time("e.created_at")},
                                    {"[visited]", d.limit(std::to_string(kVisited + 1))},
                                    {"[oldest of]", d.limit(std::to_string(kOldestOf))}}));
  };
  const Row row = db.Run({sql(kCounts), {}}).at(0);
  stats.backlog = Count(row[0]);
  if (stats.backlog > kVisited) {
    // The server's statistics may date from a time when the table was empty, or may be absent (-1).
    const bool estimated = ToNumber(row[1]) > static_cast<long long>(kVisited);
    stats.backlog_precision = estimated ? Precision::kEstimate : Precision::kAtLeast;
    if (estimated) stats.backlog = Count(row[1]);
  }
  stats.retrying = Count(row[2]);
  stats.blocked = Count(row[3]);
  stats.dead = Count(row[4]);
  stats.undeletable = Count(row[6]);

  const std::int64_t now = ToMicros(row[5]);
  for (const Row& created : db.Run({sql(kCreated), {}})) {
    const std::int64_t at = ToMicros(created[0]);
    if (at == 0) continue;
    const auto age = std::chrono::duration_cast<Millis>(std::chrono::microseconds(std::max<std::int64_t>(0, now - at)));
    stats.oldest_age = std::max(stats.oldest_age, age);
  }
}

}  // namespace outbox::sql
