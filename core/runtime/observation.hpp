// What a relay knows of itself and its peers at one moment, as values: what health, metrics and status are made of.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.hpp"
#include "outbox/adapter.hpp"
#include "runtime/latency.hpp"
#include "runtime/peer_health.hpp"
#include "runtime/watchdog.hpp"

namespace outbox::runtime {

// What was counted since the start.
struct Tally {
  engine::Counters counters;
  Latency latency;
  std::map<std::pair<std::string, std::int32_t>, std::uint64_t> failures;  // by reason and disposition
  std::uint64_t returned = 0;                                              // rows that were removed and have come back

  Tally& operator+=(const Tally& other) {
    counters += other.counters;
    latency += other.latency;
    returned += other.returned;
    for (const auto& [kind, count] : other.failures) failures[kind] += count;
    return *this;
  }
};

struct ShardObservation {
  std::uint32_t shard = 0;
  bool active = false;  // works under a lease, until:
  engine::Time lease_until = 0;
  engine::Time owed_since = engine::kForever;  // since when the broker owes an answer
  std::uint32_t outstanding = 0, in_flight = 0;
  std::int64_t oldest_created_us = 0;                     // of those in hand, about; 0 = none or not known
  engine::Time removes_nothing_since = engine::kForever;  // see Engine::RemovesNothingSince
  bool cannot_record = false;                             // see Engine::CannotRecord
  bool failures_unrecorded = false;                       // see Engine::FailuresUnrecorded
  std::string kept_why, record_why;                       // of these: which event, and what the database says
  std::string unreachable_brokers;                        // which, and why; empty = none
};

// The last look at the tables.
struct BacklogObservation {
  bool supported = true;
  std::optional<Statistics> stats;  // of the last look that succeeded, at:
  engine::Time looked_at = 0;
  bool last_failed = false;
  std::uint64_t left_then = 0;  // Observation::LeftBehind of that moment
  engine::Time interval = 0;
};

struct Observation {
  std::string relay_id, incarnation;
  bool stopping = false;
  PeerState database, broker;
  std::optional<std::string>
      source_problem;  // of what brings the rows, "" = none; nothing = the application itself does
  std::vector<CallUnderWay> calls;
  std::vector<ShardObservation> shards;
  Tally tally;

  // Events that were recorded as failed and are still in the outbox, unless they went out later. Only ever grows.
  [[nodiscard]] std::uint64_t LeftBehind() const { return tally.counters.failed - tally.counters.dead; }
};

}  // namespace outbox::runtime
