// Tests of records that cannot be handled now, or cannot be handled at all.
#include <algorithm>
#include <set>

#include "rig.hpp"

using namespace outbox::testing;

namespace {

std::vector<std::string> Read(Rig& rig, const std::string& topic, std::size_t count) {
  Settings settings;
  settings.kafka = rig.settings.kafka;
  settings.kafka["group.id"] += "-reader";
  settings.topics = {topic};
  Notes lines;
  Consumer reader(settings);
  const auto note = [&](const Record& record) {
    lines.Add(std::string(*record.key) + " " + std::string(record.payload.value_or("NULL")) + " " +
              std::string(record.Header("source").value_or("-")) + " " +
              std::string(record.Header("dead_letter_topic").value_or("-")) + " " +
              std::string(record.Header("dead_letter_partition").value_or("-")) + " " +
              std::string(record.Header("dead_letter_offset").value_or("-")) + " " +
              std::string(record.Header("dead_letter_reason").value_or("-")));
    return Outcome::Ok();
  };
  for (const char* type : {"Placed", "Unknown"}) reader.On(type, note);
  reader.Start();
  Eventually([&] { return lines.size() >= count; }, "the topic is read");
  reader.Stop();
  return lines.all();
}

}  // namespace

TEST_CASE("a record that is retried holds up its partition and no other") {
  Rig rig;
  for (std::int32_t partition = 0; partition < 4; ++partition) rig.Send(Numbered(20, partition));
  std::atomic<bool> fixed = false;
  std::atomic<std::uint32_t> attempts = 0;
  Consumer consumer(rig.settings);
  consumer.On("Placed", [&](const Record& record) {
    if (record.partition == 2 && record.offset == 3 && !fixed) {
      attempts = record.attempt;
      return Outcome::Retry(Millis(20));
    }
    rig.handled.Add(std::to_string(record.partition));
    return Outcome::Ok();
  });
  consumer.Start();
  Eventually([&] { return rig.handled.size() == 63 && attempts >= 3; }, "all but one partition are handled");
  fixed = true;
  Eventually([&] { return rig.handled.size() == 80; }, "the rest is handled");
  consumer.Stop();
  CHECK(consumer.counters().retried >= 3);
  CHECK(consumer.counters().threw == 0);
  CHECK(consumer.counters().handled == 80);
}

TEST_CASE("a stop during the backoff of a retry is quick, and the record is read again") {
  Rig rig;
  rig.Send(Numbered(3));
  std::atomic<int> calls = 0;
  Consumer consumer(rig.settings);
  consumer.On("Placed", [&](const Record& record) {
    ++calls;
    if (record.offset == 1 && calls < 3) return Outcome::Retry(std::chrono::hours(1));
    rig.handled.Add(std::string(*record.payload));
    return Outcome::Ok();
  });
  consumer.Start();
  Eventually([&] { return calls == 2; }, "the second waits");
  const auto begun = std::chrono::steady_clock::now();
  consumer.Stop();
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
  consumer.Start();
  Eventually([&] { return rig.handled.size() == 3; }, "all are handled");
  consumer.Stop();
  CHECK(rig.handled.all() == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE("a handler that throws is called again, and nothing is skipped") {
  Rig rig;
  rig.Send(Numbered(5));
  rig.settings.retry_backoff = Millis(1);
  Consumer consumer(rig.settings);
  consumer.On("Placed", [&](const Record& record) {
    if (record.attempt == 1) throw std::runtime_error("secret " + std::string(*record.payload));
    if (record.attempt == 2) throw 5;  // NOLINT: an exception that is no std::exception
    rig.handled.Add(std::string(*record.payload));
    return Outcome::Ok();
  });
  consumer.Start();
  Eventually([&] { return rig.handled.size() == 5; }, "all are handled");
  consumer.Stop();
  CHECK(rig.handled.all() == std::vector<std::string>{"0", "1", "2", "3", "4"});
  CHECK(consumer.counters().threw == 10);
  CHECK(consumer.counters().retried == 10);
  CHECK(rig.log.Has(rig.topic + " [0] at 3: the handler threw std::runtime_error"));
  CHECK(rig.log.Has("threw int"));
  CHECK_FALSE(rig.log.Has("secret"));
}

TEST_CASE("in doubt the consumer stops before the record, and reports where it is") {
  struct Case {
    Sent bad;
    std::string why;
  };
  for (const Case& one : {Case{{"secret", 0, "Unknown"}, "no handler for its event_type"},
                          Case{{"secret", 0, "Placed", "k", {}, false}, "it has no header event_id or event_type"},
                          Case{{"secret", 0, "Rejected"}, "rejected: not JSON"}}) {
    INFO(one.why);
    Rig rig;
    rig.Send({{"good", 0}, one.bad, {"behind", 0}});
    Consumer consumer(rig.settings);
    consumer.On("Placed", rig.Noting());
    consumer.On("Rejected", [](const Record&) { return Outcome::Reject("not JSON"); });
    for (int start = 0; start < 2; ++start) {
      consumer.Start();
      CHECK_FALSE(consumer.Wait());
      CHECK(consumer.failure() == rig.topic + " [0] at 1: " + one.why);
    }
    consumer.Stop();
    CHECK(rig.handled.all() == std::vector<std::string>{"good"});
    CHECK_FALSE(rig.log.Has("secret"));
  }
}

TEST_CASE("records may be skipped, and are counted") {
  Rig rig;
  rig.Send({{"1", 0}, {"2", 0, "Unknown"}, {"3", 0, "", "k", {}, false}, {"4", 0, "Rejected"}, {"5", 0}});
  rig.settings.unknown_type = rig.settings.missing_headers = rig.settings.rejected = Policy::kSkip;
  Consumer consumer(rig.settings);
  consumer.On("Placed", rig.Noting());
  consumer.On("Rejected", [](const Record&) { return Outcome::Reject("not JSON"); });
  consumer.Start();
  Eventually([&] { return rig.handled.size() == 2; }, "the good ones are handled");
  consumer.Stop();
  const Counters counters = consumer.counters();
  CHECK(counters.handled == 2);
  CHECK(counters.unknown_type == 1);
  CHECK(counters.missing_headers == 1);
  CHECK(counters.rejected == 1);
  CHECK(counters.skipped == 3);
  CHECK(rig.log.Has(rig.topic + " [0] at 3: skipped, rejected: not JSON"));
}

TEST_CASE("records may go to a dead-letter topic, unchanged and with their position") {
  Rig rig;
  const std::string dead = rig.topic + "-dead";
  rig.Send({{"1", 2}, {"two", 2, "Unknown", "key", {{"source", "test"}}}, {"3", 2}});
  rig.settings.unknown_type = Policy::kDeadLetter;
  rig.settings.dead_letter_topic = dead;
  Consumer consumer(rig.settings);
  consumer.On("Placed", rig.Noting());
  consumer.Start();
  Eventually([&] { return rig.handled.size() == 2; }, "the good ones are handled");
  consumer.Stop();
  CHECK(consumer.counters().dead_lettered == 1);
  CHECK(Read(rig, dead, 1) ==
        std::vector<std::string>{"key two test " + rig.topic + " 2 1 no handler for its event_type"});
}

TEST_CASE("the number of attempts may be limited") {
  Rig rig;
  rig.Send(Numbered(3));
  rig.settings.max_attempts = 3;
  rig.settings.rejected = Policy::kSkip;
  rig.settings.retry_backoff = Millis(1);
  std::atomic<int> calls = 0;
  Consumer consumer(rig.settings);
  consumer.On("Placed", [&](const Record& record) {
    if (record.offset == 0) return ++calls, Outcome::Retry(Millis(-1));
    if (record.offset == 1) throw std::runtime_error("always");
    return rig.Noting()(record);
  });
  consumer.Start();
  Eventually([&] { return rig.handled.size() == 1; }, "the third is handled");
  consumer.Stop();
  CHECK(calls == 3);
  CHECK(consumer.counters().rejected == 2);
  CHECK(rig.log.Has("at 0: skipped, not handled in 3 attempts"));
}

TEST_CASE("a batch with a bad record is split") {
  Rig rig;
  const bool throws = GENERATE(false, true);
  rig.Send(Numbered(50));
  rig.settings.rejected = Policy::kSkip;
  rig.settings.max_attempts = 2;
  rig.settings.retry_backoff = Millis(1);
  Consumer consumer(rig.settings);
  std::atomic<int> batches = 0;
  consumer.OnBatch({"Placed"}, [&](std::span<const Record> records) {
    const bool bad = std::any_of(records.begin(), records.end(), [](const Record& r) { return r.payload == "30"; });
    if (records.size() > 1) ++batches;
    if (bad && throws) throw std::runtime_error("30");
    if (bad) return Outcome::Reject("30");
    for (const Record& record : records) rig.handled.Add(std::string(*record.payload));
    return Outcome::Ok();
  });
  consumer.Start();
  Eventually([&] { return consumer.counters().handled == 49; }, "all the others are handled");
  consumer.Stop();
  std::vector<std::string> expected;
  for (const Sent& sent : Numbered(50))
    if (sent.payload != "30") expected.push_back(sent.payload);
  CHECK(rig.handled.all() == expected);
  CHECK(batches > 0);
  CHECK(consumer.counters().skipped == 1);
}

TEST_CASE("a whole batch is retried with the same records") {
  Rig rig;
  rig.Send(Numbered(50));
  Consumer consumer(rig.settings);
  std::vector<std::string> tries;
  consumer.OnBatch({"Placed"}, [&](std::span<const Record> records) {
    std::string all;
    for (const Record& record : records) all += std::string(*record.payload) + " ";
    tries.push_back(all);
    return records[0].attempt < 3 ? Outcome::Retry(Millis(1)) : Outcome::Ok();
  });
  consumer.Start();
  Eventually([&] { return consumer.counters().handled == 50; }, "all are handled");
  consumer.Stop();
  REQUIRE(tries.size() % 3 == 0);
  for (std::size_t i = 0; i < tries.size(); i += 3) {
    CHECK(tries[i] == tries[i + 1]);
    CHECK(tries[i] == tries[i + 2]);
  }
}

TEST_CASE("with a number per key, missing, late and repeated records are counted") {
  Rig rig;
  const auto sent = [](const char* key, const char* number) {
    return Sent{number, 0, "Placed", key, {{"version", number}}};
  };
  rig.Send({sent("a", "1"),
            sent("b", "7"),
            sent("a", "2"),
            sent("a", "5"),
            sent("a", "4"),
            sent("b", "8"),
            sent("a", "5"),
            sent("a", "no number"),
            {"none", 0}});
  rig.settings.sequence_header = "version";
  Consumer consumer(rig.settings);
  consumer.On("Placed", rig.Noting());
  consumer.Start();
  Eventually([&] { return rig.handled.size() == 9; }, "all are handled");
  consumer.Stop();
  CHECK(consumer.counters().missing == 2);
  CHECK(consumer.counters().late == 1);
  CHECK(consumer.counters().repeated == 1);
  CHECK(rig.log.Has("at 3: events of its key are missing before it"));
}
