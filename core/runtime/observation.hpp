// The state of a relay and its peers at one moment, as values. Health, metrics and status are made from these values.
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

// The counts of the relay since its start.
struct Tally {
  engine::Counters counters;
  Latency latency;
  std::map<std::pair<std::string, std::int32_t>, std::uint64_t> failures;  // number of events by reason and disposition
  std::uint64_t returned = 0;  // number of rows that came back after their removal

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
  bool active = false;           // true if the relay owns the shard and delivers it
  engine::Time lease_until = 0;  // the end of the lease; kForever = the storage has no leases
  // the time since which the broker has owed an answer; kForever = it owes none
  engine::Time owed_since = engine::kForever;
  std::uint32_t outstanding = 0, in_flight = 0;
  // Creation time of about the oldest outstanding event, in microseconds since 1970; 0 = none or unknown.
  std::int64_t oldest_created_us = 0;
  engine::Time removes_nothing_since = engine::kForever;  // see Engine::RemovesNothingSince
  bool cannot_record = false;                             // see Engine::CannotRecord
  bool failures_unrecorded = false;                       // see Engine::FailuresUnrecorded
  std::string kept_why;             // names the newest delivered row that stays in the outbox, and the reason
  std::string record_why;           // why the database has refused to record a failure
  std::string unreachable_brokers;  // names the brokers that cannot be reached, and the reasons; empty = none
};

// The result of the last query of the tables.
struct BacklogObservation {
  bool supported = true;            // false if the plugin cannot report the backlog
  std::optional<Statistics> stats;  // the result of the last query that succeeded
  engine::Time looked_at = 0;       // the time of the query that returned `stats`
  bool last_failed = false;         // true if the last query failed
  std::uint64_t left_then = 0;      // Observation::LeftBehind at `looked_at`
  engine::Time interval = 0;        // the current interval between queries, in microseconds
};

struct Observation {
  std::string relay_id, incarnation;
  bool stopping = false;
  PeerState database, broker;
  // The problem of the source of the rows, such as the trigger of a capture; "" = there is no problem. Absent if the
  // source is not watched, because the application itself inserts the rows.
  std::optional<std::string> source_problem;
  std::vector<CallUnderWay> calls;
  std::vector<ShardObservation> shards;
  Tally tally;

  // Returns the number of failures that were recorded without moving the event to the dead letters, so that the row
  // stayed in the outbox. The event may have been delivered since. The number never decreases.
  [[nodiscard]] std::uint64_t LeftBehind() const { return tally.counters.failed - tally.counters.dead; }
};

}  // namespace outbox::runtime
