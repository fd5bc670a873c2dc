// One simulated run: writers, one or two relays with the real engine, the model store and the model broker.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "engine/engine.hpp"
#include "tests/simulation/model_broker.hpp"

namespace outbox::simulation {

struct Scenario {
  std::uint64_t seed = 1;
  std::uint32_t events = 400;
  int keys = 20, lanes = 4, relays = 1;
  double poison = 0, no_key = 0.05, roll_back = 0.1;
  double storage_fault = 0;  // a call fails; whether it took effect is open
  double pause = 0;          // a relay stops for longer than its lease, then goes on
  double crash = 0;          // a relay is gone, and another begins in its place
  Faults broker{};
  std::int32_t on_exhausted = OUTBOX_BLOCK;
  bool first_flight_alone = true;  // false: what happens without the rule
  [[nodiscard]] bool Faulty() const {
    return storage_fault > 0 || pause > 0 || crash > 0 || broker.lose_ack > 0 || broker.stall > 0 || poison > 0;
  }
};

struct Verdict {
  std::string broken;  // empty = every promise held
  std::uint64_t delivered = 0, duplicates = 0, resets = 0;
};

Verdict Run(const Scenario& scenario);

}  // namespace outbox::simulation
