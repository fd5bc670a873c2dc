#include "monitoring/status_json.hpp"

#include <string>
#include <vector>

#include "config/secrets.hpp"
#include "monitoring/backlog.hpp"
#include "monitoring/readiness.hpp"
#include "runtime/relay_id.hpp"
#include "util/json.hpp"

namespace outbox::monitoring {
namespace {

using util::Json;

Json RelayJson(const runtime::Observation& seen, const Backlog& backlog, engine::Time now) {
  const auto reasons = WhyNotReady(seen, now);
  const engine::Counters& c = seen.tally.counters;
  std::vector<std::string> texts;
  texts.reserve(reasons.size());
  for (const Reason& reason : reasons) texts.push_back(config::Redact(reason.text));
  Json relay = Json::Object({{"id", seen.relay_id},
                             {"incarnation", seen.incarnation},
                             {"state", reasons.empty() ? "active" : reasons.front().state},
                             {"healthy", WhyNotHealthy(seen).empty()},
                             {"ready", reasons.empty()},
                             {"reasons", texts},
                             {"read_age_ms", nullptr},
                             {"read", c.reserved},
                             {"acknowledged", c.acknowledged},
                             {"confirmed", c.confirmed},
                             {"failed", c.failed},
                             {"undeletable", c.undeletable},
                             {"duplicates_possible", c.sent_again},
                             {"producer_resets", c.resets},
                             {"leases_lost", c.leases_lost}});
  if (backlog.read_age) relay.Set("read_age_ms", static_cast<std::int64_t>(*backlog.read_age * 1000));
  return relay;
}

Json OutboxJson(const Statistics& stats, bool has_leases) {
  Json shown = Json::Object({{"state", StateOf(stats, has_leases).word},
                             {"backlog", stats.backlog},
                             {"backlog_exact", stats.backlog_precision == Precision::kExact},
                             {"backlog_at_least", stats.backlog_precision == Precision::kAtLeast},
                             {"oldest_age_ms", nullptr},
                             {"retrying", stats.retrying},
                             {"blocked", stats.blocked},
                             {"dead", stats.dead},
                             {"undeletable", stats.undeletable},
                             {"shards_total", stats.shards_total},
                             {"shards_owned", stats.shards_owned},
                             {"live_relays", stats.live_relays},
                             {"shards", nullptr}});
  if (stats.oldest_age.count() >= 0) shown.Set("oldest_age_ms", stats.oldest_age.count());
  Json shards = Json::Array();
  for (const ShardHolder& holder : stats.holders) {
    Json entry = Json::Object({{"shard", holder.shard}, {"token", holder.token}, {"relay", nullptr}});
    if (holder.relay_id) {
      const runtime::RelayId relay = runtime::SplitLeaseId(*holder.relay_id);
      entry.Set("relay", relay.name);
      if (!relay.incarnation.empty()) entry.Set("incarnation", relay.incarnation);
      entry.Set("expires_in_ms", holder.expires_in.count());
    }
    shards.Append(std::move(entry));
  }
  shown.Set("shards", std::move(shards));
  return shown;
}

// Returns the text of the JSON. The id of a relay comes from its configuration and may contain any bytes, so bytes that
// are not UTF-8 are replaced.
std::string Text(const Json& shown) { return shown.Dump(Json::NotUtf8::kReplace, 2) + "\n"; }

}  // namespace

OutboxState StateOf(const Statistics& stats, bool has_leases) {
  if (stats.backlog == 0) return {"empty", "no event waits"};
  if (stats.backlog_precision == Precision::kExact && stats.backlog == stats.undeletable)
    return {"undeletable", "no event waits; all rows that are left are delivered and cannot be removed"};
  if (!has_leases) return {"waiting", "events wait; without leases it is unknown whether a relay is running"};
  if (stats.shards_owned == 0) return {"no_relay", "events wait and no shard has an owner"};
  if (stats.shards_owned < stats.shards_total) return {"degraded", "some shards have no owner"};
  if (stats.blocked > 0) return {"blocked", "every shard has an owner, and blocked events wait for an operator"};
  return {"active", "every shard has an owner"};
}

std::string StatusJson(const Statistics& stats, bool has_leases) { return Text(OutboxJson(stats, has_leases)); }

std::string LiveStatusJson(const runtime::Observation& seen, const runtime::BacklogObservation& looked, bool has_leases,
                           engine::Time now, engine::Time wall) {
  const Backlog backlog = ShowBacklog(looked, seen, now, wall);
  Json shown;
  if (backlog.events) {
    Statistics stats = *backlog.stats;
    stats.backlog = *backlog.events;
    const double age = backlog.oldest_age.value_or(0);
    const bool none_can_move = looked.stats->oldest_age.count() < 0 && age <= kLeastAge;
    stats.oldest_age =
        *backlog.events == 0 || none_can_move ? Millis(-1) : Millis(static_cast<Millis::rep>(age * 1000));
    shown = OutboxJson(stats, has_leases);
  } else {
    shown = OutboxJson({}, has_leases);
    shown.SetAllToNull();
    shown.Set("state", "unknown");
  }
  shown.Set("relay", RelayJson(seen, backlog, now));
  return Text(shown);
}

}  // namespace outbox::monitoring
