// Tests the relay around the engine: with real threads, the memory plugin, and a publisher whose answers the test
// decides.
#include "runtime/relay.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <map>
#include <thread>

#include "storage/loader.hpp"
#include "tests/catch.hpp"

namespace outbox {
namespace {

using namespace std::chrono_literals;
using publisher::Outcome;
using runtime::Now;

// The records that have arrived at the simulated broker, shared by the publishers of several relays.
class Topic {
 public:
  void Add(std::string key, std::string payload) {
    const std::lock_guard lock(mutex_);
    records_.push_back({std::move(key), std::move(payload)});
    changed_.notify_all();
  }
  bool WaitFor(std::size_t count, std::chrono::milliseconds timeout = 10s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [&] { return records_.size() >= count; });
  }
  std::vector<std::pair<std::string, std::string>> records() {
    const std::lock_guard lock(mutex_);
    return records_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::string, std::string>> records_;
};

class TestPublisher : public publisher::Publisher {
 public:
  // Returns the outcome of a record with this payload; nullopt if the record is never answered.
  using Judge = std::function<std::optional<Outcome>(std::string_view payload)>;
  TestPublisher(publisher::PublisherListener& listener, Topic& topic, Judge judge)
      : listener_(listener), topic_(topic), judge_(std::move(judge)) {
    listener_.OnBrokerState(true, "as the test says");
  }

  Status Prepare(publisher::PreparedBatch& batch, Millis) override {
    batch.events.resize(batch.batch.size());
    return {};
  }
  void Cancel() override {}
  void Publish(std::span<const publisher::Outgoing> records, std::uint32_t epoch) override {
    for (const auto& r : records) {
      const outbox_event& event = r.batch->batch[r.index];
      const auto outcome = broken_ ? Outcome::kUnknown : judge_(View(event.payload));
      if (!outcome) continue;
      if (*outcome == Outcome::kAcknowledged)
        topic_.Add(std::string(View(event.aggregate_id)), std::string(View(event.payload)));
      else if (!publisher::IsTrial(epoch))
        broken_ = true;  // No later record may overtake one that was not acknowledged.
      const publisher::Report report{r.event, epoch, *outcome, 7};
      listener_.OnReports({&report, 1});
    }
  }
  void Reset(std::uint32_t epoch) override {
    broken_ = false;
    listener_.OnReset(epoch);
  }
  publisher::Refusal Explain(std::int32_t) const override { return {"refused", "the test said so"}; }

 private:
  publisher::PublisherListener& listener_;
  Topic& topic_;
  const Judge judge_;
  bool broken_ = false;
};

struct Fixture {
  std::shared_ptr<spdlog::logger> logger =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
  const char* options = "{}";  // Options of the memory plugin.
  std::shared_ptr<storage::Store> store = OpenStore();
  Topic topic{};
  const Call call{0, 0, 5s};

  std::shared_ptr<storage::Store> OpenStore() const {
    const auto table = storage::Load("memory", {OUTBOX_MEMORY_PLUGIN, {}});
    REQUIRE(table.ok());
    auto opened = storage::Store::Open(*table, options, logger);
    REQUIRE(opened.ok());
    return *opened;
  }

  void Emit(std::string_view key, int first, int last, std::string_view topic_name = "t") {
    auto session = store->Connect(call);
    REQUIRE(session.ok());
    REQUIRE((*session)->BeginEmit(call).ok());
    for (int i = first; i <= last; ++i) {
      const std::string payload = std::to_string(i);
      outbox_event event{};
      event.event_id = {"", 0};
      event.aggregate_id = Raw(key);
      event.topic = event.event_type = Raw(topic_name);
      event.payload = Raw(payload);
      REQUIRE((*session)->Insert({&event, 1}, call).ok());
    }
    REQUIRE((*session)->EndEmit(true, call).ok());
  }

  Statistics Read() {
    auto session = store->Connect(call);
    REQUIRE(session.ok());
    auto stats = (*session)->ReadStats(call);
    REQUIRE(stats.ok());
    return *stats;
  }
  template <class F>
  bool WaitFor(F holds) {
    for (const auto deadline = Now() + 10 * engine::kSecond; Now() < deadline; std::this_thread::sleep_for(1ms)) {
      if (holds(Read())) return true;
    }
    return false;
  }
  bool WaitForBacklog(std::uint64_t backlog) {
    return WaitFor([&](const Statistics& stats) { return stats.backlog == backlog; });
  }

  std::unique_ptr<runtime::Relay> Start(
      TestPublisher::Judge judge = [](std::string_view) { return Outcome::kAcknowledged; }, config::Relay config = {}) {
    config.poll_interval = 20ms;
    auto relay = std::make_unique<runtime::Relay>(
        config, store,
        [this, judge](publisher::PublisherListener& l) -> Result<std::unique_ptr<publisher::Publisher>> {
          return std::unique_ptr<publisher::Publisher>(new TestPublisher(l, topic, judge));
        },
        logger);
    REQUIRE(relay->Start().ok());
    return relay;
  }
};

TEST_CASE("what is committed is delivered in order and leaves the outbox") {
  Fixture f;
  f.Emit("a", 0, 2499);
  auto relay = f.Start();
  REQUIRE(f.topic.WaitFor(2500));
  f.Emit("b", 0, 9);
  REQUIRE(f.topic.WaitFor(2510));
  CHECK(f.WaitForBacklog(0));
  CHECK(relay->Stop(5s));
  CHECK(relay->Wait().ok());
  std::map<std::string, int> next;
  for (const auto& [key, payload] : f.topic.records()) CHECK(std::stoi(payload) == next[key]++);
  CHECK(f.Read().shards_owned == 0);
}

TEST_CASE("relays that are notified of commits stop at once, whether they own shards or not") {
  Fixture f;
  config::Relay config;
  config.wake_up = true;
  auto first = f.Start([](std::string_view) { return Outcome::kAcknowledged; }, config);
  auto second = f.Start([](std::string_view) { return Outcome::kAcknowledged; }, config);
  for (int i = 0; i < 50; ++i) {
    f.Emit("a", i, i);
    REQUIRE(f.topic.WaitFor(static_cast<std::size_t>(i) + 1));
  }
  const auto begun = Now();
  CHECK(first->Stop(5s));
  CHECK(second->Stop(5s));
  first.reset();
  second.reset();
  CHECK(Now() - begun < 3 * engine::kSecond);
  CHECK(f.topic.records().size() == 50);
}

TEST_CASE("a standby takes over as soon as the active relay has stopped") {
  Fixture f;
  auto first = f.Start();
  f.Emit("a", 0, 0);
  REQUIRE(f.topic.WaitFor(1));
  auto second = f.Start();
  CHECK(first->Stop(5s));
  f.Emit("a", 1, 1);
  CHECK(f.topic.WaitFor(2, 2s));  // The second relay does not wait until the lease of 15 s expires.
  CHECK(second->Stop(5s));
  CHECK(f.topic.records().size() == 2);
}

TEST_CASE("relays share the shards, and events of a shard that changes its owner are sent once and in order", "[b34]") {
  Fixture f;
  {
    auto session = f.store->Connect(f.call);
    REQUIRE(session.ok());
    REQUIRE((*session)->ApplySchema({8, ""}, f.call).ok());
  }
  config::Relay config;
  config.reserve_duration = 2s;
  int written = 0;
  // Emits events until `relays` relays own all shards and the relay with the most shards owns `most`. Returns false
  // after 20 s.
  const auto held_by = [&](std::size_t relays, std::size_t most) {
    for (const auto deadline = Now() + 20 * engine::kSecond; Now() < deadline;) {
      for (const char* key : {"a", "b", "c", "d", "e", "f", "g"}) f.Emit(key, written, written);
      ++written;
      std::map<std::string, std::size_t> held;
      for (const ShardHolder& shard : f.Read().holders)
        if (shard.relay_id) ++held[*shard.relay_id];
      std::size_t all = 0, largest = 0;
      for (const auto& [relay, shards] : held) all += shards, largest = std::max(largest, shards);
      if (all == 8 && held.size() == relays && largest == most) return true;
    }
    return false;
  };
  auto first = f.Start([](std::string_view) { return Outcome::kAcknowledged; }, config);
  CHECK(held_by(1, 8));
  auto second = f.Start([](std::string_view) { return Outcome::kAcknowledged; }, config);
  CHECK(held_by(2, 4));
  auto third = f.Start([](std::string_view) { return Outcome::kAcknowledged; }, config);
  CHECK(held_by(3, 3));
  CHECK(first->Stop(5s));
  CHECK(held_by(2, 4));
  CHECK(third->Stop(5s));
  CHECK(held_by(1, 8));
  CHECK(f.WaitForBacklog(0));
  CHECK(second->Stop(5s));
  std::map<std::string, int> next;
  for (const auto& [key, payload] : f.topic.records()) CHECK(std::stoi(payload) == next[key]++);
  CHECK(f.topic.records().size() == static_cast<std::size_t>(7 * written));
}

TEST_CASE("relays share marked rows, and another relay sends released ones, once and in order") {
  Fixture f{.options = R"({"reserve": "rows"})"};
  config::Relay config;
  config.batch_size = 20;
  config.max_in_flight_events = 60;
  const auto judge = [](std::string_view) { return std::optional(Outcome::kAcknowledged); };
  auto first = f.Start(judge, config), second = f.Start(judge, config);
  constexpr int kKeys = 20, kEach = 50;
  for (int i = 0; i < kEach; ++i)
    for (int key = 0; key < kKeys; ++key) f.Emit("key" + std::to_string(key), i, i);
  REQUIRE(f.topic.WaitFor(kKeys * kEach / 4));
  CHECK(first->Stop(5s));
  REQUIRE(f.WaitForBacklog(0));
  CHECK(second->Stop(5s));
  CHECK(f.topic.records().size() == kKeys * kEach);
  std::map<std::string, int> next;
  for (const auto& [key, payload] : f.topic.records()) CHECK(std::stoi(payload) == next[key]++);
}

TEST_CASE("a relay that stops releases marked rows whose events got no answer, and another sends them at once") {
  Fixture f{.options = R"({"reserve": "rows"})"};
  f.Emit("a", 0, 9);
  auto first = f.Start([](std::string_view) -> std::optional<Outcome> { return std::nullopt; });
  REQUIRE(f.WaitFor([](const Statistics& stats) { return stats.live_relays == 1; }));
  auto second = f.Start();
  CHECK(first->Stop(200ms));
  CHECK(f.topic.WaitFor(10, 5s));  // The second relay does not wait until the marks of 15 s end.
  CHECK(f.WaitForBacklog(0));
  CHECK(second->Stop(5s));
  for (std::size_t i = 0; i < 10; ++i) CHECK(f.topic.records()[i].second == std::to_string(i));
}

TEST_CASE("a broker that never answers does not delay a stop, and nothing is lost", "[b6]") {
  Fixture f;
  f.Emit("a", 0, 99);
  auto relay = f.Start([](std::string_view) { return std::nullopt; });
  while (relay->counters().sent == 0) std::this_thread::sleep_for(1ms);
  const auto begun = Now();
  CHECK(relay->Stop(1s));
  CHECK(Now() - begun < 1 * engine::kSecond);
  CHECK(f.Read().backlog == 100);
  auto next = f.Start();
  CHECK(f.topic.WaitFor(100));
  CHECK(next->Stop(5s));
}

TEST_CASE("a refused event waits with its key, and other keys go on", "[b68][b85]") {
  Fixture f;
  f.Emit("bad", 0, 4);
  f.Emit("good", 10, 1009);
  f.Emit("bad", 5, 9);
  config::Relay config;
  config.failures.max_attempts = 1;
  auto relay =
      f.Start([](std::string_view p) { return p == "2" ? Outcome::kRefused : Outcome::kAcknowledged; }, config);
  REQUIRE(f.topic.WaitFor(1002));
  CHECK(f.WaitForBacklog(8));
  CHECK(f.Read().blocked == 1);
  CHECK(relay->Stop(5s));
  std::vector<std::string> bad;
  for (const auto& [key, payload] : f.topic.records()) {
    if (key == "bad") bad.push_back(payload);
  }
  CHECK(bad == std::vector<std::string>{"0", "1"});
}

TEST_CASE("a dead letter lets its key go on", "[b85]") {
  Fixture f;
  f.Emit("a", 0, 9);
  config::Relay config;
  config.failures.max_attempts = 2;
  config.failures.retry_backoff = 10ms;
  config.failures.on_exhausted = config::OnExhausted::kDeadLetter;
  auto relay =
      f.Start([](std::string_view p) { return p == "4" ? Outcome::kRefused : Outcome::kAcknowledged; }, config);
  REQUIRE(f.topic.WaitFor(9));
  CHECK(f.WaitForBacklog(0));
  CHECK(f.Read().dead == 1);
  CHECK(relay->Stop(5s));
  std::string order;
  for (const auto& [key, payload] : f.topic.records()) order += payload;
  CHECK(order == "012356789");
}

TEST_CASE("the failure policy of an event is that of the first pattern that matches its topic") {
  Fixture f;
  f.Emit("a", 0, 1, "audit.clicks");
  f.Emit("b", 0, 1, "audit.payments");
  f.Emit("c", 0, 1, "orders");
  config::Relay config;
  config.failures.max_attempts = 1'000;
  config.topics = {{"audit.pay*", {.max_attempts = 1}},
                   {"audit.*", {.max_attempts = 1, .on_exhausted = config::OnExhausted::kDeadLetter}}};
  auto relay =
      f.Start([](std::string_view p) { return p == "0" ? Outcome::kRefused : Outcome::kAcknowledged; }, config);
  CHECK(f.topic.WaitFor(1));
  CHECK(f.WaitFor([](const Statistics& s) { return s.dead == 1 && s.blocked == 1 && s.retrying == 1; }));
  CHECK(f.WaitForBacklog(4));
  CHECK(relay->Stop(5s));
}

TEST_CASE("two relays in one process do not affect each other") {
  Fixture f, g;
  f.Emit("a", 0, 99);
  g.Emit("a", 0, 49);
  auto one = f.Start();
  auto two = g.Start();
  CHECK(f.topic.WaitFor(100));
  CHECK(g.topic.WaitFor(50));
  CHECK(one->Stop(5s));
  CHECK(two->Stop(5s));
}

}  // namespace
}  // namespace outbox
