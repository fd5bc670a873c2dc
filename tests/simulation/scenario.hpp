// A scenario says what a run consists of: how much work there is, and how often each kind of fault occurs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/plugin.h"
#include "tests/simulation/mutants.hpp"

namespace outbox::simulation {

struct Scenario {
  std::string_view name;
  std::uint64_t seed = 1;
  std::uint32_t events = 150;
  int keys = 12, lanes = 4, relays = 1;
  std::uint32_t shards = 1;
  std::uint32_t batch = 20, window = 100;
  bool writers_serialise = true;
  // True if the store leases no shards: each relay reads all rows, and the store marks the rows that it returns to a
  // relay.
  bool marks_rows = false;
  // Upper limits of random times, in microseconds; one pause of the writers in ten may be longer.
  std::int64_t writers_pause_us = 20'000, broker_answers_us = 3'000;
  std::int64_t backoff_us = 50'000;  // First backoff of the relay after a failure of a peer.
  double no_key = 0.05, roll_back = 0.1, long_open = 0.1;

  // Probabilities for each call, record or request.
  double poison = 0, killer = 0;
  std::uint32_t poison_kinds = 4;  // Number of values of Poison that occur, counted from kUnsendable.
  double storage_error = 0;        // Probability of a failed call, which may still take effect, at a random time.
  double ack_lost = 0, implied = 0, stall = 0, stateless = 0, fatal = 0;
  // Probabilities for each tenth of a second and, for faults of a relay, for each relay.
  double nap = 0, pause = 0, crash = 0, stop = 0, join = 0;
  double database_outage = 0, broker_outage = 0, database_clock = 0, wall_clock = 0;
  double requeue = 0, unblock = 0, fix = 0;
  double refused_confirm = 0, ignored_confirm = 0, let_go = 0;
  double no_runner = 0, reshard = 0;
  double vanish = 0, more_partitions = 0, late_report = 0;
  // Probability for each topic in a read. If it is not 0, a relay starts without knowing any topic.
  double topic_unknown = 0;

  std::int32_t on_exhausted = OUTBOX_BLOCK;
  Mutant mutant = Mutant::kNone;
};

// Returns the scenarios in which seeds are run. The first scenario has no faults.
const std::vector<Scenario>& Scenarios();

// Returns the scenario, varied by `seed`: it becomes larger or smaller, and some kinds of faults are left out, so that
// the others occur alone.
Scenario Vary(Scenario scenario, std::uint64_t seed);

}  // namespace outbox::simulation
