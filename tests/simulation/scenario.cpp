#include "tests/simulation/scenario.hpp"

#include <algorithm>

#include "tests/simulation/chances.hpp"

namespace outbox::simulation {

namespace {

std::vector<Scenario> Make() {
  std::vector<Scenario> all = {
      {.name = "quiet", .relays = 2, .shards = 2},
      {.name = "late-commits", .keys = 100, .lanes = 2, .no_key = 0.3, .long_open = 0.4},
      {.name = "writers-that-overlap",
       .relays = 2,
       .shards = 2,
       .writers_serialise = false,
       .long_open = 0.4,
       .poison = 0.02,
       .ack_lost = 0.02,
       .pause = 0.015,
       .crash = 0.015},
      {.name = "broker",
       .relays = 2,
       .shards = 2,
       .ack_lost = 0.02,
       .implied = 0.05,
       .stall = 0.01,
       .stateless = 0.5,
       .fatal = 0.01,
       .broker_outage = 0.01,
       .more_partitions = 0.02,
       .late_report = 0.5},
      {.name = "database",
       .relays = 2,
       .shards = 3,
       .storage_error = 0.06,
       .database_outage = 0.01,
       .wall_clock = 0.05},
      // Nothing here may send anything twice.
      {.name = "no-fault-of-note",
       .relays = 3,
       .shards = 4,
       .storage_error = 0.03,
       .stateless = 1,
       .nap = 0.01,
       .stop = 0.02,
       .join = 0.02,
       .wall_clock = 0.05,
       .more_partitions = 0.01},
      {.name = "poison-blocks",
       .poison = 0.05,
       .unblock = 0.05,
       .fix = 0.03,
       .more_partitions = 0.02,
       .late_report = 0.3},
      // Nothing but refusals, and many: everybody else is to be delivered soon.
      {.name = "refusals",
       .events = 400,
       .keys = 40,
       .lanes = 8,
       .backoff_us = 200'000,  // long enough to be seen where a refusal is taken for an outage
       .no_key = 0.2,
       .poison = 0.15,
       .unblock = 0.05},
      {.name = "poison-dies", .poison = 0.05, .requeue = 0.05, .fix = 0.03, .on_exhausted = OUTBOX_DEAD},
      // As when a topic is missing: judged before sending, again and again, with good events between and behind.
      {.name = "many-failures",
       .events = 300,
       .keys = 250,
       .poison = 0.6,
       .poison_kinds = 1,
       .unblock = 0.2,
       .fix = 0.1},
      {.name = "late-commits-of-failing-keys",
       .events = 300,
       .keys = 8,
       .lanes = 2,
       .no_key = 0.5,
       .long_open = 0.5,
       .poison = 0.4,
       .poison_kinds = 1,
       .unblock = 0.1,
       .fix = 0.1},
      {.name = "relays-come-and-go", .relays = 3, .shards = 4, .nap = 0.01, .crash = 0.03, .stop = 0.02, .join = 0.02},
      {.name = "paused",
       .relays = 2,
       .shards = 3,
       .poison = 0.12,
       .storage_error = 0.05,
       .pause = 0.04,
       .on_exhausted = OUTBOX_DEAD},
      // Shards change hands while the broker is slow to answer and leases end.
      {.name = "hand-over-in-trouble",
       .events = 250,
       .relays = 3,
       .shards = 4,
       .poison = 0.02,
       .stall = 0.03,
       .pause = 0.03,
       .stop = 0.04,
       .join = 0.03,
       .database_outage = 0.02,
       .broker_outage = 0.03,
       .database_clock = 0.01,
       .unblock = 0.05,
       .vanish = 0.01,
       .more_partitions = 0.01,
       .late_report = 0.3},
      // As when an operator runs `migrate --shards`. Nothing here may send anything twice.
      {.name = "shards-change",
       .events = 250,
       .relays = 2,
       .shards = 4,
       .no_key = 0.02,
       .long_open = 0.2,
       .nap = 0.01,
       .stop = 0.01,
       .no_runner = 0.1,
       .reshard = 0.03},
      {.name = "shards-change-in-trouble",
       .relays = 3,
       .shards = 4,
       .long_open = 0.2,
       .poison = 0.02,
       .storage_error = 0.03,
       .pause = 0.02,
       .crash = 0.01,
       .join = 0.01,
       .database_outage = 0.005,
       .unblock = 0.05,
       .fix = 0.03,
       .no_runner = 0.1,
       .reshard = 0.03},
      {.name = "clocks",
       .relays = 2,
       .shards = 3,
       .nap = 0.01,
       .pause = 0.01,
       .database_clock = 0.02,
       .wall_clock = 0.05,
       .vanish = 0.02},
      {.name = "poison-and-crashes", .relays = 2, .shards = 2, .poison = 0.1, .crash = 0.03, .unblock = 0.05},
      {.name = "killers", .relays = 2, .shards = 4, .killer = 0.01, .unblock = 0.02, .fix = 0.03},
      {.name = "killers-in-trouble",
       .relays = 2,
       .shards = 3,
       .poison = 0.02,
       .killer = 0.01,
       .storage_error = 0.01,
       .stall = 0.005,
       .crash = 0.01,
       .stop = 0.01,
       .join = 0.01,
       .broker_outage = 0.005,
       .requeue = 0.05,
       .fix = 0.03,
       .on_exhausted = OUTBOX_DEAD},
      {.name = "refused-confirms",
       .relays = 2,
       .shards = 2,
       .poison = 0.02,
       .storage_error = 0.02,
       .crash = 0.01,
       .stop = 0.02,
       .unblock = 0.05,
       .fix = 0.03,
       .refused_confirm = 0.05,
       .ignored_confirm = 0.03,
       .let_go = 0.02},
      {.name = "everything-blocks",
       .relays = 3,
       .shards = 3,
       .poison = 0.02,
       .storage_error = 0.02,
       .ack_lost = 0.01,
       .implied = 0.01,
       .stall = 0.005,
       .stateless = 0.3,
       .fatal = 0.005,
       .nap = 0.01,
       .pause = 0.01,
       .crash = 0.01,
       .stop = 0.01,
       .join = 0.01,
       .database_outage = 0.005,
       .broker_outage = 0.005,
       .database_clock = 0.003,
       .wall_clock = 0.02,
       .unblock = 0.05,
       .fix = 0.01,
       .refused_confirm = 0.01,
       .ignored_confirm = 0.01,
       .let_go = 0.01,
       .vanish = 0.003,
       .more_partitions = 0.005,
       .late_report = 0.2},
  };
  Scenario dies = all.back();
  dies.name = "everything-dies";
  dies.on_exhausted = OUTBOX_DEAD;
  dies.requeue = dies.unblock;
  dies.unblock = 0;
  all.push_back(dies);
  return all;
}

}  // namespace

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario> all = Make();
  return all;
}

Scenario Vary(Scenario scenario, std::uint64_t seed) {
  Random random(seed * 7 + 3);
  scenario.seed = seed;
  scenario.events = scenario.events / 2 + static_cast<std::uint32_t>(random.Below(scenario.events));
  scenario.keys = 1 + static_cast<int>(random.Below(2 * static_cast<std::uint64_t>(scenario.keys)));
  scenario.lanes = 1 + static_cast<int>(random.Below(2 * static_cast<std::uint64_t>(scenario.lanes)));
  scenario.relays = 1 + static_cast<int>(random.Below(static_cast<std::uint64_t>(scenario.relays)));
  scenario.writers_pause_us = std::int64_t{500} << random.Below(9);
  scenario.broker_answers_us = std::int64_t{500} << random.Below(9);
  scenario.batch = random.Below(2) == 0 ? 20 : 4;
  scenario.window = scenario.batch * (2 + static_cast<std::uint32_t>(random.Below(4)));
  scenario.shards = 1 + static_cast<std::uint32_t>(random.Below(scenario.shards));
  for (double* odds : {&scenario.poison,
                       &scenario.killer,
                       &scenario.storage_error,
                       &scenario.ack_lost,
                       &scenario.implied,
                       &scenario.stall,
                       &scenario.stateless,
                       &scenario.fatal,
                       &scenario.nap,
                       &scenario.pause,
                       &scenario.crash,
                       &scenario.stop,
                       &scenario.join,
                       &scenario.wall_clock,
                       &scenario.requeue,
                       &scenario.database_outage,
                       &scenario.broker_outage,
                       &scenario.database_clock,
                       &scenario.unblock,
                       &scenario.fix,
                       &scenario.refused_confirm,
                       &scenario.ignored_confirm,
                       &scenario.let_go,
                       &scenario.no_runner,
                       &scenario.reshard,
                       &scenario.vanish,
                       &scenario.more_partitions,
                       &scenario.late_report})
    if (random.Below(4) == 0) *odds = 0;
  return scenario;
}

}  // namespace outbox::simulation
