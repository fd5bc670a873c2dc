#include "monitoring/backlog.hpp"

#include <algorithm>

namespace outbox::monitoring {
namespace {

using engine::kSecond;
using engine::Time;

double Seconds(Time t) { return static_cast<double>(t) / kSecond; }

}  // namespace

Backlog ShowBacklog(const runtime::BacklogObservation& looked, const runtime::Observation& seen, Time now, Time wall) {
  Backlog shown;
  if (!looked.stats) return shown;
  const Time age = std::max<Time>(0, now - looked.looked_at);
  shown.read_age = Seconds(age);
  if (age > kStaleIntervals * looked.interval) return shown;
  shown.stats = looked.stats;

  std::uint64_t outstanding = 0;
  Time oldest = 0;
  for (const runtime::ShardObservation& shard : seen.shards) {
    outstanding += shard.outstanding;
    if (shard.oldest_created_us > 0) oldest = std::max(oldest, wall - shard.oldest_created_us);
  }
  // An event that has failed since the query is no longer outstanding, but its row is still in the outbox.
  const std::uint64_t at_least = std::max<std::uint64_t>(outstanding, seen.LeftBehind() > looked.left_then ? 1 : 0);
  const std::uint64_t events = std::max(looked.stats->backlog, at_least);
  const bool blind = looked.last_failed || seen.database.trouble.has_value() || !seen.database.met;
  if (events == 0 && blind) return shown;
  shown.events = events;

  if (looked.stats->oldest_age.count() >= 0) {
    const Time then = runtime::Micros(looked.stats->oldest_age);
    oldest = std::max(oldest, blind ? then + age : then);
  }
  // All waiting events are blocked or queued behind a blocked event, so there is no deliverable event whose age could
  // be reported.
  if (oldest == 0 && outstanding == 0 && looked.stats->backlog > 0 && looked.stats->oldest_age.count() < 0)
    return shown;
  // The age must not become 0 if this machine's clock is behind the database's.
  shown.oldest_age = events == 0 ? 0 : std::max(kLeastAge, Seconds(oldest));
  return shown;
}

}  // namespace outbox::monitoring
