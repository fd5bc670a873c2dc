// The calls of the run path: what each costs in small and in large tables, and that it does not grow with them.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "driver.hpp"
#include "tests/catch.hpp"

namespace outbox::testing {

inline constexpr long long kFewRows = 10'000, kManyRows = 1'000'000;

using Cost = std::map<std::string, long long>;                     // by call
using Costs = std::map<std::uint32_t, std::map<long long, Cost>>;  // by size of the batch, and rows in the outbox

// Of a relay that has passed the failures, with batches of so many. `measured(name, call)` makes a call.
template <class Relay, class Measured>
void MeasureCalls(Relay& relay, std::uint32_t batch, Measured& measured) {
  const std::string of = " of " + std::to_string(batch);
  std::vector<long long> taken;
  measured("read" + of, [&] { taken = IdsOf(relay.Reserve(batch)); });
  REQUIRE(!taken.empty());
  measured("confirm" + of, [&] { relay.Confirm(taken); });
  measured("rescan" + of, [&] { (void)relay.Rescan(batch); });
  for (const auto disposition : {Disposition::kRetry, Disposition::kBlock, Disposition::kDead}) {
    taken.clear();
    // On MySQL a read may bring nothing while ids are missing.
    for (int reads = 0; taken.empty() && reads < 100; ++reads) taken = IdsOf(relay.Reserve(batch));
    REQUIRE(!taken.empty());
    measured("fail" + of + ", " + std::to_string(static_cast<int>(disposition)),
             [&] { relay.FailAll(taken, disposition); });
  }
  measured("mark" + of, [&] { (void)relay.writing().Mark(Bytes("7000")); });
  measured("heartbeat" + of, [&] { (void)relay.Heartbeat(); });
}

struct Bound {
  const char* unit;
  long long slack;                // of the growth, beside a half
  long long for_event, for_call;  // at most, in large tables
};

inline void CheckGrowth(Costs& costs, const std::string& tables, const Bound& bound) {
  for (auto& [batch, by_rows] : costs)
    for (const auto& [name, few] : by_rows[kFewRows]) {
      const long long many = by_rows[kManyRows][name];
      std::printf("%s, %-18s %8lld %s, %8lld\n", tables.c_str(), name.c_str(), few, bound.unit, many);
      INFO(name << ", " << tables);
      CHECK(many <= few * 3 / 2 + bound.slack);
      CHECK(many <= bound.for_event * batch + bound.for_call);
    }
}

}  // namespace outbox::testing
