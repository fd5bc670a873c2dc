#include "monitoring/metrics.hpp"

#include <algorithm>

#include "monitoring/backlog.hpp"
#include "monitoring/prometheus_text.hpp"
#include "monitoring/readiness.hpp"
#include "util/format.hpp"

namespace outbox::monitoring {
namespace {

using engine::kSecond;
using engine::Time;
using runtime::Observation;

void WriteState(Exposition& out, const Observation& seen, Time now) {
  const auto reasons = WhyNotReady(seen, now);
  out.Single("outbox_relay_healthy", "gauge",
             "1 = no call that delivery depends on hangs, 0 = such a call hangs, as /healthz.",
             std::optional(std::uint64_t{WhyNotHealthy(seen).empty()}));
  out.Single("outbox_relay_ready", "gauge", "1 = events can move through this relay now, 0 = they cannot, as /readyz.",
             std::optional(std::uint64_t{reasons.empty()}));
  const std::string_view current = reasons.empty() ? "active" : reasons.front().state;
  out.Family("outbox_relay_state", "gauge", "1 for the state of the relay, 0 for the others.");
  for (const char* state : kStates) out.Sample(std::uint64_t{current == state}, {{"state", state}});

  out.Family("outbox_relay_peer_up", "gauge", "1 = available, 0 = unavailable, or no answer yet since the start.");
  for (const auto& [peer, state] : {std::pair{"database", &seen.database}, {"broker", &seen.broker}})
    out.Sample(std::uint64_t{state->met && !state->trouble}, {{"peer", peer}});
  out.Single("outbox_relay_capture_in_place", "gauge",
             "1 = the trigger that copies rows of the application's table is in place, 0 = it is missing or differs. "
             "Absent = nothing is captured.",
             seen.source_problem ? std::optional<std::uint64_t>(seen.source_problem->empty()) : std::nullopt);
  const auto held = std::count_if(seen.shards.begin(), seen.shards.end(),
                                  [now](const auto& s) { return s.active && now < s.lease_until; });
  out.Single("outbox_relay_active_shards", "gauge", "Shards that this relay is delivering.",
             std::optional(static_cast<std::uint64_t>(held)));
  const auto overdue = std::count_if(seen.calls.begin(), seen.calls.end(), [](const auto& c) { return c.overdue; });
  out.Single("outbox_relay_stuck_calls", "gauge",
             "Calls into plugins and libraries that have not returned long after their timeout.",
             std::optional(static_cast<std::uint64_t>(overdue)));
}

void WriteCounters(Exposition& out, const engine::Counters& c) {
  const auto counter = [&out](std::string_view name, std::string_view help, std::uint64_t value) {
    out.Single(name, "counter", help, std::optional(value));
  };
  counter("outbox_relay_events_read_total", "Events read from the outbox; counted again after a reset.", c.reserved);
  counter("outbox_relay_events_sent_total", "Records handed to the client library; counted again after a reset.",
          c.sent);
  counter("outbox_relay_events_acknowledged_total", "Events that the broker has acknowledged.", c.acknowledged);
  counter("outbox_relay_events_confirmed_total", "Acknowledged events that were removed from the outbox.", c.confirmed);
  counter("outbox_relay_duplicates_possible_total",
          "Events given up without an answer and sent again: an upper bound on the duplicates.", c.sent_again);
  counter("outbox_relay_producer_resets_total", "Producers that were replaced by a new one.", c.resets);
  counter("outbox_relay_rescans_total", "Reads and rescans that began at the oldest row.", c.rescans);
  counter("outbox_relay_events_undeletable_total",
          "Acknowledged events that were recorded as delivered because their rows could not be removed.",
          c.undeletable);
  counter("outbox_relay_leases_lost_total", "Leases that ended while the relay was delivering under them.",
          c.leases_lost);
}

void WriteFailures(Exposition& out, const runtime::Tally& tally) {
  out.Family("outbox_relay_events_failed_total", "counter",
             "Failed attempts of events, by reason and by what happens next: retry, block or dead_letter.");
  for (const auto& [kind, count] : tally.failures) {
    const char* next = kind.second == OUTBOX_RETRY ? "retry" : kind.second == OUTBOX_BLOCK ? "block" : "dead_letter";
    out.Sample(count, {{"reason", kind.first}, {"next", next}});
  }
}

void WriteLatency(Exposition& out, const runtime::Latency& latency) {
  out.Family(
      "outbox_relay_event_latency_seconds", "histogram",
      "Time from the creation of an event (database's clock) to the broker's acknowledgement (this machine's clock).");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < runtime::Latency::kBounds.size(); ++i) {
    sum += latency.counts[i];
    const std::string bound = fmt::format("{}", static_cast<double>(runtime::Latency::kBounds[i]) / kSecond);
    out.Sample(sum, {{"le", bound}}, "_bucket");
  }
  sum += latency.counts.back();
  out.Sample(sum, {{"le", "+Inf"}}, "_bucket");
  out.Sample(static_cast<double>(latency.sum) / kSecond, {}, "_sum");
  out.Sample(sum, {}, "_count");
}

void WriteBacklog(Exposition& out, const Backlog& backlog) {
  const auto gauge = [&out](std::string_view name, std::string_view help, auto value) {
    out.Single(name, "gauge", help, value);
  };
  const auto of = [&backlog](auto Statistics::*field) {
    return backlog.stats ? std::optional<std::uint64_t>((*backlog.stats).*field) : std::nullopt;
  };
  gauge("outbox_relay_backlog_events", "Rows in the outbox, failed ones included. Absent = unknown.", backlog.events);
  gauge("outbox_relay_backlog_exact", "0 = the backlog is an estimate or a lower bound.",
        backlog.events ? std::optional<std::uint64_t>(backlog.stats->backlog_precision == Precision::kExact)
                       : std::nullopt);
  gauge("outbox_relay_oldest_event_age_seconds",
        "Age of the oldest event that is neither blocked nor queued behind a blocked one. 0 = no event waits. Absent = "
        "unknown, or all waiting events are blocked.",
        backlog.oldest_age);
  gauge("outbox_relay_retrying_events", "Events that have failed and will be retried.", of(&Statistics::retrying));
  gauge("outbox_relay_blocked_events",
        "Events that were given up and wait for an operator; later events of their keys are not counted.",
        of(&Statistics::blocked));
  gauge("outbox_relay_dead_events", "Dead letters.", of(&Statistics::dead));
  gauge("outbox_relay_undeletable_events",
        "Delivered events whose rows cannot be removed from the outbox; they are not sent again.",
        of(&Statistics::undeletable));
  gauge("outbox_relay_shards", "Shards of the outbox.", of(&Statistics::shards_total));
  gauge("outbox_relay_shards_owned", "Shards of the outbox that have an owner.", of(&Statistics::shards_owned));
  gauge("outbox_relay_live_relays", "Relays that are registered at the outbox.", of(&Statistics::live_relays));
  gauge("outbox_relay_backlog_read_age_seconds",
        "Age of the last query of the tables, which the gauges above come from. Absent = no query yet.",
        backlog.read_age);
}

}  // namespace

std::string MetricsText(const Observation& seen, const runtime::BacklogObservation& looked, const Build& build,
                        Time now, Time wall) {
  Exposition out;
  out.Family("outbox_relay_build_info", "gauge", "Always 1; the labels name the version that is running.");
  out.Sample(std::uint64_t{1}, {{"version", build.version}, {"commit", build.commit}});
  WriteState(out, seen, now);
  WriteCounters(out, seen.tally.counters);
  out.Single("outbox_relay_events_returned_total", "counter",
             "Rows that were read again after their removal, because they were restored or something put them back.",
             std::optional(seen.tally.returned));
  WriteFailures(out, seen.tally);
  WriteLatency(out, seen.tally.latency);
  std::uint64_t outstanding = 0, in_flight = 0;
  for (const runtime::ShardObservation& shard : seen.shards) {
    outstanding += shard.outstanding;
    in_flight += shard.in_flight;
  }
  out.Single("outbox_relay_outstanding_events", "gauge", "Events read and not settled yet.",
             std::optional(outstanding));
  out.Single("outbox_relay_in_flight_events", "gauge", "Events sent and not answered yet.", std::optional(in_flight));
  WriteBacklog(out, ShowBacklog(looked, seen, now, wall));
  return out.text();
}

}  // namespace outbox::monitoring
