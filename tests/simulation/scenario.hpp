// What a run is made of: how much there is to do, and how often what goes wrong.
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
  bool marks_rows = false;  // the store leases no shards: each relay reads all, and is given rows that are marked
  std::int64_t writers_pause_us = 20'000, broker_answers_us = 3'000;  // at most, mostly
  std::int64_t backoff_us = 50'000;                                   // the relay's first one after a failure of a peer
  double no_key = 0.05, roll_back = 0.1, long_open = 0.1;

  // Odds of each call, record or request.
  double poison = 0, killer = 0;
  std::uint32_t poison_kinds = 4;  // the first so many of Poison
  double storage_error = 0;        // whether and when the call takes effect is open
  double ack_lost = 0, implied = 0, stall = 0, stateless = 0, fatal = 0;
  // Odds of each tenth of a second, and of each relay where it is about one.
  double nap = 0, pause = 0, crash = 0, stop = 0, join = 0;
  double database_outage = 0, broker_outage = 0, database_clock = 0, wall_clock = 0;
  double requeue = 0, unblock = 0, fix = 0;
  double refused_confirm = 0, ignored_confirm = 0, let_go = 0;
  double no_runner = 0, reshard = 0;
  double vanish = 0, more_partitions = 0, late_report = 0;
  double topic_unknown = 0;  // of each topic in a read; where it is not 0, a relay begins without knowing any

  std::int32_t on_exhausted = OUTBOX_BLOCK;
  Mutant mutant = Mutant::kNone;
};

// The scenarios that a seed is run in, the first one without any fault.
const std::vector<Scenario>& Scenarios();

// This scenario as `seed` makes it: larger or smaller, and some faults left out, so that the others are seen alone.
Scenario Vary(Scenario scenario, std::uint64_t seed);

}  // namespace outbox::simulation
