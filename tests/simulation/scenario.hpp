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
  // The store leases no shards. Each relay reads all rows, and the store marks the rows that it returns to a relay.
  bool marks_rows = false;
  std::int64_t writers_pause_us = 20'000, broker_answers_us = 3'000;  // Upper limits, in most cases.
  std::int64_t backoff_us = 50'000;  // The first backoff of the relay after a failure of a peer.
  double no_key = 0.05, roll_back = 0.1, long_open = 0.1;

  // Odds for each call, record or request.
  double poison = 0, killer = 0;
  std::uint32_t poison_kinds = 4;  // How many values of Poison occur, counted from the first.
  double storage_error = 0;        // Whether and when a failed call takes effect is random.
  double ack_lost = 0, implied = 0, stall = 0, stateless = 0, fatal = 0;
  // Odds for each tenth of a second and, for faults of a relay, for each relay.
  double nap = 0, pause = 0, crash = 0, stop = 0, join = 0;
  double database_outage = 0, broker_outage = 0, database_clock = 0, wall_clock = 0;
  double requeue = 0, unblock = 0, fix = 0;
  double refused_confirm = 0, ignored_confirm = 0, let_go = 0;
  double no_runner = 0, reshard = 0;
  double vanish = 0, more_partitions = 0, late_report = 0;
  // Odds for each topic in a read. If it is not 0, a relay starts without knowing any topic.
  double topic_unknown = 0;

  std::int32_t on_exhausted = OUTBOX_BLOCK;
  Mutant mutant = Mutant::kNone;
};

// The scenarios in which a seed is run. The first has no faults.
const std::vector<Scenario>& Scenarios();

// Varies the scenario by `seed`: it becomes larger or smaller, and some kinds of faults are left out, so that the
// others occur alone.
Scenario Vary(Scenario scenario, std::uint64_t seed);

}  // namespace outbox::simulation
