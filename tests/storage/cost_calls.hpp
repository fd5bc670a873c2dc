// Measures what each call of a running relay costs in small and in large tables, and checks that the cost does not grow
// with the tables.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "driver.hpp"
#include "tests/catch.hpp"

namespace outbox::testing {

inline constexpr long long kFewRows = 10'000, kManyRows = 1'000'000;

// The cost of each call, keyed by the name of the call.
using Cost = std::map<std::string, long long>;
// Costs, keyed by the size of the batch and by the number of rows in the outbox.
using Costs = std::map<std::uint32_t, std::map<long long, Cost>>;

// Makes each call once, with batches of `batch` events. `measured(name, call)` makes a call and measures its cost.
// REQUIRES: the relay has read past the failed rows.
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
    // On MySQL a read may return nothing while ids are missing.
    for (int reads = 0; taken.empty() && reads < 100; ++reads) taken = IdsOf(relay.Reserve(batch));
    REQUIRE(!taken.empty());
    measured("fail" + of + ", " + std::to_string(static_cast<int>(disposition)),
             [&] { relay.FailAll(taken, disposition); });
  }
  measured("mark" + of, [&] { (void)relay.writing().Mark(RowId(7000)); });
  measured("heartbeat" + of, [&] { (void)relay.Heartbeat(); });
}

// Measures the calls of a new relay after it has made `reads` reads, which lead past the failed rows. `app(sql)` runs
// SQL.
template <class Measured, class Relay, class Sql>
Cost MeasureRelay(Relay&& relay, int reads, std::uint32_t batch, Sql& app) {
  relay.Heartbeat();
  for (int i = 0; i < reads; ++i) (void)relay.Reserve(1000, 64 << 20, i == 0);
  Measured measured(app);
  MeasureCalls(relay, batch, measured);
  app("delete from outbox_relay");
  return measured.cost;
}

// Measures batches of 1 and of 1000 events, in small tables and in large ones. `fill(rows)` fills the tables, and
// `measure(batch)` returns the costs of the calls with batches of `batch` events.
template <class Fill, class Measure>
Costs MeasureSizes(Fill fill, Measure measure) {
  Costs costs;
  for (const long long rows : {kFewRows, kManyRows}) {
    fill(rows);
    for (const std::uint32_t batch : {1U, 1000U}) costs[batch][rows] = measure(batch);
  }
  return costs;
}

struct Bound {
  const char* unit;
  // The amount, in `unit`, by which the cost in large tables may exceed one and a half times the cost in small tables.
  long long slack;
  // Upper limits of the cost in large tables, in `unit`: for each event of the batch, and for the call itself.
  long long for_event, for_call;
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

// Returns `size` random characters of `alphabet`, which can hardly be compressed.
inline std::string Noise(std::size_t size, std::string_view alphabet) {
  std::string noise;
  std::uint64_t state = 88172645463325252U;
  while (noise.size() < size) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    noise += alphabet[state % alphabet.size()];
  }
  return noise;
}

// Checks that the first event of each key can be recorded as failed, with each disposition. `sql(text)` runs SQL and
// returns the first value of the result. REQUIRES: the outbox contains only two events for each of `keys` keys, next to
// each other; the key, topic and type of an event are the same text.
template <class Relay, class Sql>
void CheckAllCanFail(Relay& relay, std::size_t keys, Sql& sql) {
  relay.Heartbeat();
  for (const auto disposition : {Disposition::kRetry, Disposition::kBlock, Disposition::kDead}) {
    const auto rows = relay.Reserve(1000, 64 << 20, true);
    REQUIRE(rows.size() == 2 * keys);
    std::vector<long long> heads;
    for (std::size_t i = 0; i < rows.size(); i += 2) heads.push_back(rows[i].id);
    relay.FailAll(heads, disposition);
    relay.outstanding.clear();
    // The second event of each key is queued behind the first one, unless the first one is a dead letter.
    CHECK(relay.Reserve(1000, 64 << 20, true).size() == (disposition == Disposition::kDead ? keys : 0));
    relay.outstanding.clear();
    sql("delete from outbox_retry");
  }
  CHECK(sql("select count(*) from outbox_dead where aggregate_id = topic and topic = event_type") ==
        std::to_string(keys));
  relay.Confirm(IdsOf(relay.Reserve(1000, 64 << 20, true)));
  CHECK(sql("select count(*) from outbox_event") == "0");
}

}  // namespace outbox::testing
