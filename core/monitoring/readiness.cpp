#include "monitoring/readiness.hpp"

#include <algorithm>

#include "config/secrets.hpp"
#include "monitoring/log.hpp"
#include "util/format.hpp"

namespace outbox::monitoring {
namespace {

using engine::Time;
using runtime::Observation;

// For this time it is normal that no row is removed after a refused confirm: refused rows are found one after the
// other, between rows that are removed.
constexpr Time kMomentOfNarrowing = engine::kSecond;

std::string Seconds(Time t) { return fmt::format("{:.1f} s", static_cast<double>(t) / engine::kSecond); }

void JudgePeer(const char* name, const char* state, const runtime::PeerState& peer, std::vector<Reason>& reasons) {
  if (peer.trouble) {
    const auto lasts = std::chrono::duration_cast<std::chrono::microseconds>(peer.trouble->lasts).count();
    reasons.push_back({state, fmt::format("{} unavailable for {}: {}", name, Seconds(lasts), peer.trouble->why)});
  } else if (!peer.met) {
    reasons.push_back({"starting", fmt::format("{} has not answered yet", name)});
  }
}

void JudgeShards(const Observation& seen, Time now, std::vector<Reason>& reasons) {
  const auto works = [now](const runtime::ShardObservation& s) { return s.active && now < s.lease_until; };
  if (std::none_of(seen.shards.begin(), seen.shards.end(), works)) {
    reasons.push_back({"standby", seen.database.trouble
                                      ? "no shard is held, and none can be leased while the database is unavailable"
                                      : "no shard is held: another relay has the lease, or none was granted yet"});
    return;
  }
  for (const runtime::ShardObservation& s : seen.shards) {
    if (!works(s)) continue;
    if (s.cannot_record)
      reasons.push_back(
          {"undeletable",
           fmt::format("shard {} has stopped sending: {}; it cannot be recorded as delivered, so each restart would "
                       "send it again: {}",
                       s.shard, s.kept_why, s.record_why)});
    else if (s.removes_nothing_since < now - kMomentOfNarrowing)
      reasons.push_back({"undeletable", fmt::format("shard {}: no delivered event could be removed from the outbox "
                                                    "for {}; the last one was {}",
                                                    s.shard, Seconds(now - s.removes_nothing_since), s.kept_why)});
    if (s.failures_unrecorded && !s.cannot_record)
      reasons.push_back({"stalled", fmt::format("shard {}: failures of events cannot be recorded, so their keys wait "
                                                "and no command lists them; fix what refuses the record: {}",
                                                s.shard, s.record_why)});
    if (s.owed_since > now - kPatience) continue;
    reasons.push_back({"stalled", fmt::format("shard {}: the broker has not answered for {}; {} events in flight{}{}",
                                              s.shard, Seconds(now - s.owed_since), s.in_flight,
                                              s.unreachable_brokers.empty() ? "" : "; ", s.unreachable_brokers)});
  }
  for (const runtime::CallUnderWay& call : seen.calls) {
    if (call.vital && !call.overdue && call.age >= kPatience) reasons.push_back({"stalled", call.Text()});
  }
}

}  // namespace

std::vector<Reason> WhyNotHealthy(const Observation& seen) {
  std::vector<Reason> reasons;
  for (const runtime::CallUnderWay& call : seen.calls) {
    if (call.vital && call.overdue) reasons.push_back({"stuck", call.Text()});
  }
  return reasons;
}

std::vector<Reason> WhyNotReady(const Observation& seen, Time now) {
  std::vector<Reason> reasons;
  if (seen.stopping) reasons.push_back({"stopping", "the relay was asked to stop"});
  for (Reason& reason : WhyNotHealthy(seen)) reasons.push_back(std::move(reason));
  JudgePeer("database", "database_down", seen.database, reasons);
  JudgePeer("broker", "broker_down", seen.broker, reasons);
  if (seen.source_problem && !seen.source_problem->empty()) reasons.push_back({"capture_broken", *seen.source_problem});
  JudgeShards(seen, now, reasons);
  const auto rank = [](const Reason& r) {
    return std::find_if(std::begin(kStates), std::end(kStates),
                        [&](const char* state) { return std::string_view(state) == r.state; });
  };
  std::stable_sort(reasons.begin(), reasons.end(), [&](const Reason& a, const Reason& b) { return rank(a) < rank(b); });
  return reasons;
}

std::string Lines(const std::vector<Reason>& reasons, const std::string& good) {
  if (reasons.empty()) return good + "\n";
  std::string text;
  for (const Reason& reason : reasons)
    text += fmt::format("{}: {}\n", reason.state, Escape(config::Redact(reason.text)));
  return text;
}

}  // namespace outbox::monitoring
