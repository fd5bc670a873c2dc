// Tests what is reported about a relay for given observations: its readiness, its backlog, and the text for
// Prometheus.
#include <spdlog/logger.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "monitoring/backlog.hpp"
#include "monitoring/metrics.hpp"
#include "monitoring/prometheus_text.hpp"
#include "monitoring/readiness.hpp"
#include "monitoring/status_json.hpp"
#include "tests/catch.hpp"

namespace outbox::monitoring {
namespace {

using namespace std::chrono_literals;
using engine::kSecond;
using engine::Time;

constexpr Time kNow = 1'000 * kSecond;
constexpr Time kWall = 1'700'000'000 * kSecond;

runtime::Observation Working() {
  runtime::Observation seen;
  seen.relay_id = "r1";
  seen.database.met = seen.broker.met = true;
  runtime::ShardObservation& shard = seen.shards.emplace_back();
  shard.active = true;
  shard.lease_until = kNow + 10 * kSecond;
  return seen;
}

runtime::BacklogObservation Looked(std::uint64_t backlog, Millis oldest_age, Time age = kSecond) {
  runtime::BacklogObservation looked;
  looked.stats.emplace();
  looked.stats->backlog = backlog;
  looked.stats->oldest_age = oldest_age;
  looked.looked_at = kNow - age;
  looked.interval = 10 * kSecond;
  return looked;
}

std::string StateOf(const runtime::Observation& seen) {
  const auto reasons = WhyNotReady(seen, kNow);
  return reasons.empty() ? "active" : reasons.front().state;
}

Backlog Show(const runtime::BacklogObservation& looked, const runtime::Observation& seen) {
  return ShowBacklog(looked, seen, kNow, kWall);
}

std::string Text(const runtime::Observation& seen, const runtime::BacklogObservation& looked = {}) {
  return MetricsText(seen, looked, {"1.2.3", "abc"}, kNow, kWall);
}

bool Has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != text.npos;
}

TEST_CASE("rows that stay make a relay unready while none can be removed, or if that cannot be recorded",
          "[b98][b101]") {
  auto seen = Working();
  runtime::ShardObservation& shard = seen.shards[0];
  shard.kept_why = "event e (row 7): no";
  // Half a second is too short to report: other rows of the same confirm may still be removed.
  shard.removes_nothing_since = kNow - kSecond / 2;
  CHECK(StateOf(seen) == "active");
  shard.removes_nothing_since = kNow - 2 * kSecond;
  CHECK(StateOf(seen) == "undeletable");
  CHECK(WhyNotReady(seen, kNow)[0].text.find("event e (row 7): no") != std::string::npos);
  shard.removes_nothing_since = engine::kForever;
  CHECK(StateOf(seen) == "active");
  shard.cannot_record = true;
  shard.record_why = "a check";
  CHECK(StateOf(seen) == "undeletable");
  CHECK(WhyNotReady(seen, kNow)[0].text.find("a check") != std::string::npos);
}

TEST_CASE("a relay is ready if it can move events now, and reports the reason if it is not") {
  runtime::Observation seen = Working();
  CHECK(StateOf(seen) == "active");
  CHECK(Lines(WhyNotReady(seen, kNow), "ready") == "ready\n");

  SECTION("neither peer has answered yet") {
    seen.broker.met = false;
    CHECK(Lines(WhyNotReady(seen, kNow), "") == "starting: broker has not answered yet\n");
  }
  SECTION("database down, reported without its password") {
    seen.database.trouble = {83s, "no route, password=sesame"};
    CHECK(Lines(WhyNotReady(seen, kNow), "") ==
          "database_down: database unavailable for 83.0 s: no route, password=<hidden>\n");
  }
  SECTION("broker down") {
    seen.broker.trouble = {1s, "refused"};
    CHECK(StateOf(seen) == "broker_down");
  }
  SECTION("no shard") {
    seen.shards[0].active = false;
    CHECK(StateOf(seen) == "standby");
  }
  SECTION("a lease that has ended does not count, whatever the engine knew last") {
    seen.shards[0].lease_until = kNow;
    CHECK(StateOf(seen) == "standby");
  }
  SECTION("an answer that is overdue") {
    seen.shards[0].owed_since = kNow - kPatience;
    CHECK(StateOf(seen) == "stalled");
    seen.shards[0].owed_since = kNow - kPatience + 1;
    CHECK(StateOf(seen) == "active");
  }
  SECTION("a call that takes long") {
    seen.calls.push_back({"writer of shard 0", "confirm", kPatience, 10 * kSecond, true, false});
    CHECK(StateOf(seen) == "stalled");
    CHECK(WhyNotHealthy(seen).empty());
    seen.calls[0].overdue = true;
    CHECK(StateOf(seen) == "stuck");
    REQUIRE(WhyNotHealthy(seen).size() == 1);
    CHECK(WhyNotHealthy(seen)[0].text == "writer of shard 0 has been in confirm for 5.0 s (allowed: 10.0 s)");
    seen.calls[0].vital = false;
    CHECK(StateOf(seen) == "active");
  }
  SECTION("all reasons, the first one first") {
    seen.stopping = true;
    seen.database.trouble = {1s, "x"};
    seen.broker.trouble = {1s, "y\nz"};
    CHECK(Lines(WhyNotReady(seen, kNow), "") ==
          "stopping: the relay was asked to stop\n"
          "database_down: database unavailable for 1.0 s: x\n"
          "broker_down: broker unavailable for 1.0 s: y\\nz\n");
  }
}

TEST_CASE("the backlog is 0 only where that is known") {
  runtime::Observation seen = Working();
  CHECK(Show(Looked(0, -1ms), seen).events == 0U);
  CHECK(Show(Looked(0, -1ms), seen).oldest_age == 0.0);
  CHECK(Show(Looked(7, 1500ms), seen).events == 7U);
  CHECK(Show(Looked(7, 1500ms), seen).oldest_age == 1.5);

  SECTION("everything in the backlog is blocked or queued behind a blocked event") {
    CHECK(Show(Looked(7, -1ms), seen).events == 7U);
    CHECK_FALSE(Show(Looked(7, -1ms), seen).oldest_age);
    const auto live = nlohmann::json::parse(LiveStatusJson(seen, Looked(7, -1ms), true, kNow, kWall));
    CHECK(live.at("oldest_age_ms").is_null());
  }
  SECTION("never read") {
    CHECK_FALSE(Show({}, seen).events);
    CHECK_FALSE(Show({}, seen).read_age);
  }
  SECTION("the last reading is old") {
    const Backlog shown = Show(Looked(7, 1s, 31 * kSecond), seen);
    CHECK_FALSE(shown.events);
    CHECK_FALSE(shown.oldest_age);
    CHECK_FALSE(shown.stats);
    CHECK(shown.read_age == 31.0);
    CHECK(Show(Looked(7, 1s, 30 * kSecond), seen).events == 7U);
  }
  SECTION("the last reading failed: an empty backlog becomes unknown, and a waiting event grows older") {
    runtime::BacklogObservation looked = Looked(0, -1ms, 8 * kSecond);
    looked.last_failed = true;
    CHECK_FALSE(Show(looked, seen).events);
    looked = Looked(3, 2s, 8 * kSecond);
    looked.last_failed = true;
    CHECK(Show(looked, seen).oldest_age == 10.0);
  }
  SECTION("the database is down, and the backlog has not been read since") {
    seen.database.trouble = {1s, "x"};
    CHECK_FALSE(Show(Looked(0, -1ms), seen).events);
  }
  SECTION("the relay has more events outstanding than the last reading found") {
    seen.shards[0].outstanding = 5;
    CHECK(Show(Looked(0, -1ms), seen).events == 5U);
    CHECK(*Show(Looked(0, -1ms), seen).oldest_age > 0);
    seen.shards[0].oldest_created_us = kWall - 4 * kSecond;
    CHECK(Show(Looked(0, -1ms), seen).oldest_age == 4.0);
    seen.shards[0].oldest_created_us = kWall + 4 * kSecond;
    CHECK(*Show(Looked(0, -1ms), seen).oldest_age > 0);
  }
  SECTION("an event has failed since the last reading") {
    seen.tally.counters.failed = 4;
    seen.tally.counters.dead = 1;
    runtime::BacklogObservation looked = Looked(0, -1ms);
    looked.left_then = 3;
    CHECK(Show(looked, seen).events == 0U);
    looked.left_then = 2;
    CHECK(Show(looked, seen).events == 1U);
  }
}

TEST_CASE("metrics are families with help and type, and unknown values are absent") {
  runtime::Observation seen = Working();
  seen.tally.counters.acknowledged = 41;
  seen.tally.counters.leases_lost = 2;
  seen.tally.failures[{"too_large", OUTBOX_RETRY}] = 3;
  seen.tally.failures[{"a\"b\\c\nd", OUTBOX_DEAD}] = 1;
  std::string text = Text(seen);
  CHECK(Has(text, "# TYPE outbox_relay_events_acknowledged_total counter"));
  CHECK(Has(text, "outbox_relay_events_acknowledged_total 41"));
  CHECK(Has(text, "outbox_relay_leases_lost_total 2"));
  CHECK(Has(text, "outbox_relay_build_info{version=\"1.2.3\",commit=\"abc\"} 1"));
  CHECK(Has(text, "outbox_relay_events_failed_total{reason=\"too_large\",next=\"retry\"} 3"));
  CHECK(Has(text, R"(outbox_relay_events_failed_total{reason="a\"b\\c\\nd",next="dead_letter"} 1)"));
  CHECK(Has(text, "outbox_relay_state{state=\"active\"} 1"));
  CHECK(Has(text, "outbox_relay_state{state=\"stuck\"} 0"));
  CHECK(Has(text, "outbox_relay_ready 1"));
  CHECK(Has(text, "# TYPE outbox_relay_backlog_events gauge"));
  CHECK(text.find("\noutbox_relay_backlog_events") == std::string::npos);

  text = Text(seen, Looked(12, 2s));
  CHECK(Has(text, "outbox_relay_backlog_events 12"));
  CHECK(Has(text, "outbox_relay_oldest_event_age_seconds 2"));
  CHECK(Has(text, "outbox_relay_backlog_read_age_seconds 1"));

  seen.broker.trouble = {1s, "x"};
  text = Text(seen);
  CHECK(Has(text, "outbox_relay_ready 0"));
  CHECK(Has(text, "outbox_relay_healthy 1"));
  CHECK(Has(text, "outbox_relay_state{state=\"broker_down\"} 1"));
  CHECK(Has(text, "outbox_relay_peer_up{peer=\"broker\"} 0"));
}

TEST_CASE("the histogram adds up") {
  runtime::Observation seen = Working();
  for (const Time took : {-5 * kSecond, Time{1'000}, Time{1'001}, 2 * kSecond, 100'000 * kSecond})
    seen.tally.latency.Add(took);
  const std::string text = Text(seen);
  CHECK(Has(text, "outbox_relay_event_latency_seconds_bucket{le=\"0.001\"} 2"));
  CHECK(Has(text, "outbox_relay_event_latency_seconds_bucket{le=\"0.0025\"} 3"));
  CHECK(Has(text, "outbox_relay_event_latency_seconds_bucket{le=\"1\"} 3"));
  CHECK(Has(text, "outbox_relay_event_latency_seconds_bucket{le=\"2.5\"} 4"));
  CHECK(Has(text, "outbox_relay_event_latency_seconds_bucket{le=\"7200\"} 4"));
  CHECK(Has(text, "outbox_relay_event_latency_seconds_bucket{le=\"+Inf\"} 5"));
  CHECK(Has(text, "outbox_relay_event_latency_seconds_sum 100002.002001"));
  CHECK(Has(text, "outbox_relay_event_latency_seconds_count 5"));
}

TEST_CASE("the live status is that of the command, with the relay's own state") {
  const runtime::Observation seen = Working();
  auto live = nlohmann::json::parse(LiveStatusJson(seen, Looked(2, 3s), true, kNow, kWall));
  CHECK(live.at("relay").at("ready") == true);
  CHECK(live.at("relay").at("read_age_ms") == 1000);
  live.erase("relay");
  Statistics stats;
  stats.backlog = 2;
  stats.oldest_age = 3s;
  CHECK(live == nlohmann::json::parse(StatusJson(stats, true)));
  live = nlohmann::json::parse(LiveStatusJson(seen, {}, true, kNow, kWall));
  CHECK(live.at("state") == "unknown");
  CHECK(live.at("backlog").is_null());
}

TEST_CASE("a call that does not return is reported once, and again when it has returned", "[b5][b90]") {
  auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
  sink->set_pattern("%v");
  const auto count = [&](const char* what) {
    const auto lines = sink->last_formatted();
    return std::count_if(lines.begin(), lines.end(),
                         [&](const std::string& line) { return line.find(what) != line.npos; });
  };
  {
    runtime::Watchdog watchdog(std::make_shared<spdlog::logger>("", sink));
    const auto post = watchdog.Watch("reader of shard 3");
    const auto is_overdue = [&] {
      const auto calls = watchdog.UnderWay(runtime::Now());
      return !calls.empty() && calls[0].overdue;
    };
    const auto says = [&](const char* what) {
      for (const auto end = runtime::Now() + 20 * kSecond; runtime::Now() < end; std::this_thread::sleep_for(1ms)) {
        if (count(what) > 0) return true;
      }
      return false;
    };
    {
      const runtime::Watched watch(*post, "reserve", 100ms);
      CHECK_FALSE(is_overdue());
      CHECK(says("reader of shard 3 has been in reserve for 4."));
      CHECK(is_overdue());
    }
    CHECK(watchdog.UnderWay(runtime::Now()).empty());
    CHECK(says("reader of shard 3 has returned from reserve after "));
    const runtime::Watched watch(*post, "release", 100ms);
    CHECK_FALSE(is_overdue());
  }
  CHECK(count("call appears to hang") == 1);
}

}  // namespace
}  // namespace outbox::monitoring
