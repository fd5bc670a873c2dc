#include "monitoring/status_json.hpp"

#include <nlohmann/json.hpp>

#include "config/secrets.hpp"
#include "monitoring/backlog.hpp"
#include "monitoring/readiness.hpp"
#include "runtime/relay_id.hpp"

namespace outbox::monitoring {
namespace {

using nlohmann::ordered_json;

ordered_json RelayJson(const runtime::Observation& seen, const Backlog& backlog, engine::Time now) {
  const auto reasons = WhyNotReady(seen, now);
  const engine::Counters& c = seen.tally.counters;
  ordered_json relay = {{"id", seen.relay_id},
                        {"incarnation", seen.incarnation},
                        {"state", reasons.empty() ? "active" : reasons.front().state},
                        {"healthy", WhyNotHealthy(seen).empty()},
                        {"ready", reasons.empty()},
                        {"reasons", ordered_json::array()},
                        {"read_age_ms", nullptr},
                        {"read", c.reserved},
                        {"acknowledged", c.acknowledged},
                        {"confirmed", c.confirmed},
                        {"failed", c.failed},
                        {"undeletable", c.undeletable},
                        {"duplicates_possible", c.sent_again},
                        {"producer_resets", c.resets},
                        {"leases_lost", c.leases_lost}};
  for (const Reason& reason : reasons) relay["reasons"].push_back(config::Redact(reason.text));
  if (backlog.read_age) relay["read_age_ms"] = static_cast<std::int64_t>(*backlog.read_age * 1000);
  return relay;
}

ordered_json OutboxJson(const Statistics& stats, bool has_leases) {
  ordered_json shown = {{"state", StateOf(stats, has_leases).word},
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
                        {"shards", ordered_json::array()}};
  if (stats.oldest_age.count() >= 0) shown["oldest_age_ms"] = stats.oldest_age.count();
  for (const ShardHolder& holder : stats.holders) {
    ordered_json entry = {{"shard", holder.shard}, {"token", holder.token}, {"relay", nullptr}};
    if (holder.relay_id) {
      const runtime::RelayId relay = runtime::SplitLeaseId(*holder.relay_id);
      entry["relay"] = relay.name;
      if (!relay.incarnation.empty()) entry["incarnation"] = relay.incarnation;
      entry["expires_in_ms"] = holder.expires_in.count();
    }
    shown["shards"].push_back(std::move(entry));
  }
  return shown;
}

// A relay's id is whatever its configuration says.
std::string Text(const ordered_json& shown) {
  return shown.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

OutboxState StateOf(const Statistics& stats, bool has_leases) {
  if (stats.backlog == 0) return {"empty", "nothing waits"};
  if (stats.backlog_precision == Precision::kExact && stats.backlog == stats.undeletable)
    return {"undeletable", "nothing waits; what is left is delivered, and the database does not let it go"};
  if (!has_leases) return {"waiting", "events wait; this storage does not tell whether a relay runs"};
  if (stats.shards_owned == 0) return {"no_relay", "events wait and no relay works on them"};
  if (stats.shards_owned < stats.shards_total) return {"degraded", "some shards have no relay"};
  if (stats.blocked > 0) return {"blocked", "a relay is at work, and events that were given up wait for an operator"};
  return {"active", "a relay is at work"};
}

std::string StatusJson(const Statistics& stats, bool has_leases) { return Text(OutboxJson(stats, has_leases)); }

std::string LiveStatusJson(const runtime::Observation& seen, const runtime::BacklogObservation& looked, bool has_leases,
                           engine::Time now, engine::Time wall) {
  const Backlog backlog = ShowBacklog(looked, seen, now, wall);
  ordered_json shown;
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
    for (auto& [key, value] : shown.items()) value = nullptr;
    shown["state"] = "unknown";
  }
  shown["relay"] = RelayJson(seen, backlog, now);
  return Text(shown);
}

}  // namespace outbox::monitoring
