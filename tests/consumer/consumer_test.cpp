// Tests the life of a consumer: handlers, partitions, order, commits, starting and stopping.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "rig.hpp"

using namespace outbox::testing;

TEST_CASE("impossible settings are refused") {
  const auto refuses = [](auto change) {
    Settings settings;
    settings.kafka = {{"bootstrap.servers", "127.0.0.1:1"}, {"group.id", "g"}};
    settings.topics = {"t"};
    change(settings);
    CHECK_THROWS_AS(Consumer(settings), std::invalid_argument);
  };
  refuses([](Settings& s) { s.kafka.erase("group.id"); });
  refuses([](Settings& s) { s.kafka.erase("bootstrap.servers"); });
  refuses([](Settings& s) { s.topics.clear(); });
  refuses([](Settings& s) { s.concurrency = 0; });
  refuses([](Settings& s) { s.batch_size = 0; });
  refuses([](Settings& s) { s.kafka["enable.auto.commit"] = "false"; });
  refuses([](Settings& s) { s.rejected = Policy::kDeadLetter; });
  refuses([](Settings& s) { s.dead_letter_topic = "dead"; });
  Settings settings;
  settings.kafka = {{"bootstrap.servers", "127.0.0.1:1"}, {"group.id", "g"}, {"no.such.property", "secret"}};
  settings.topics = {"t"};
  Consumer consumer(settings);
  try {
    consumer.Start();
    FAIL("started");
  } catch (const std::invalid_argument& error) {
    CHECK(std::string(error.what()) == "librdkafka knows no property no.such.property");
  }
  CHECK_FALSE(consumer.running());
}

TEST_CASE("each event type has its handler, and a record arrives as it was sent") {
  Rig rig;
  rig.Send({{"one", 1, "Placed", "key", {{"source", "test"}}}, {"two", 1, "Paid", ""}});
  Consumer consumer(rig.settings);
  const auto note = [&](const Record& record) {
    rig.handled.Add(std::string(record.topic) + " " + std::to_string(record.partition) + " " +
                    std::to_string(record.offset) + " '" + std::string(*record.key) + "' " +
                    std::string(*record.payload) + " " + std::string(record.event_id) + " " +
                    std::string(record.event_type) + " " + std::string(record.Header("source").value_or("-")) + " " +
                    std::to_string(record.attempt) + " " + std::to_string(record.slot) +
                    (record.timestamp_ms > 1'600'000'000'000 ? "" : " without a time"));
    return Outcome::Ok();
  };
  consumer.On("Placed", [&](const Record& record) { return note(record); });
  consumer.On("Paid", [&](const Record& record) { return note(record); });
  CHECK_THROWS_AS(consumer.On("Paid", rig.Noting()), std::logic_error);
  consumer.Start();
  CHECK_THROWS_AS(consumer.On("Late", rig.Noting()), std::logic_error);
  Eventually([&] { return consumer.counters().handled == 2; }, "both are handled");
  consumer.Stop();
  CHECK(rig.handled.all() == std::vector<std::string>{rig.topic + " 1 0 'key' one id-1 Placed test 1 0",
                                                      rig.topic + " 1 1 '' two id-2 Paid - 1 0"});
}

TEST_CASE("a stop commits what was handled, and a start continues behind it") {
  Rig rig;
  rig.Send(Numbered(10));
  Consumer consumer(rig.settings);
  consumer.On("Placed", [&](const Record& record) {
    if (rig.handled.size() == 5) consumer.RequestStop();
    rig.handled.Add(std::string(*record.payload));
    return Outcome::Ok();
  });
  consumer.Start();
  CHECK_THROWS_AS(consumer.Start(), std::logic_error);
  CHECK(consumer.Wait());
  const std::size_t before = rig.handled.size();
  CHECK(before >= 6);
  consumer.Stop();
  consumer.Stop();
  CHECK_FALSE(consumer.running());

  consumer.Start();
  Eventually([&] { return rig.handled.size() >= 10; }, "all are handled");
  consumer.Stop();
  std::vector<std::string> expected;
  for (const Sent& sent : Numbered(10)) expected.push_back(sent.payload);
  CHECK(rig.handled.all() == expected);
  CHECK(consumer.counters().handled == 10);
  CHECK_FALSE(consumer.failure());
}

TEST_CASE("Stop inside a handler is an error, RequestStop is not") {
  Rig rig;
  rig.Send(Numbered(1));
  Consumer consumer(rig.settings);
  std::atomic<bool> refused = false;
  consumer.On("Placed", [&](const Record&) {
    try {
      consumer.Stop();
    } catch (const std::logic_error&) {
      refused = true;
    }
    consumer.RequestStop();
    return Outcome::Ok();
  });
  consumer.Start();
  CHECK(consumer.Wait());
  CHECK(refused);
}

TEST_CASE("partitions are handled in parallel, each in its order, and no slot is used twice at once") {
  Rig rig;
  constexpr int kEach = 200;
  for (std::int32_t partition = 0; partition < 4; ++partition) rig.Send(Numbered(kEach, partition));
  rig.settings.concurrency = 3;
  Consumer consumer(rig.settings);
  std::array<std::atomic<int>, 3> in_slot{};
  std::atomic<int> now = 0, most = 0, collisions = 0;
  std::map<std::int32_t, std::vector<std::int64_t>> offsets;
  std::mutex mutex;
  consumer.On("Placed", [&](const Record& record) {
    if (++in_slot.at(record.slot) > 1) ++collisions;
    const int running = ++now;
    for (int seen = most; running > seen && !most.compare_exchange_weak(seen, running);) {
    }
    // Waits until other handlers run as well, because the test has to observe handlers that run in parallel.
    for (int i = 0; i < 50 && most < 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    {
      const std::scoped_lock lock(mutex);
      offsets[record.partition].push_back(record.offset);
    }
    --now;
    --in_slot.at(record.slot);
    return Outcome::Ok();
  });
  consumer.Start();
  Eventually([&] { return consumer.counters().handled == 4 * kEach; }, "all are handled");
  consumer.Stop();
  CHECK(most == 3);
  CHECK(collisions == 0);
  REQUIRE(offsets.size() == 4);
  for (const auto& [partition, seen] : offsets) {
    CHECK(seen.size() == kEach);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
  }
}

TEST_CASE("partitions are set up before their first record and cleaned up after their last") {
  Rig rig;
  for (std::int32_t partition = 0; partition < 4; ++partition) rig.Send(Numbered(50, partition));
  std::mutex mutex;
  std::map<std::int32_t, std::set<int>> owners;  // Maps a partition to the consumers that have set it up.
  int wrong = 0;
  Notes handled;
  std::vector<std::unique_ptr<Consumer>> consumers;
  const auto add = [&](int number) {
    Settings settings = rig.settings;
    settings.concurrency = 4;
    settings.setup = [&, number](std::span<const TopicPartition> partitions) {
      const std::scoped_lock lock(mutex);
      for (const TopicPartition& partition : partitions)
        wrong += owners[partition.partition].insert(number).second ? 0 : 1;
    };
    settings.cleanup = [&, number](std::span<const TopicPartition> partitions) {
      const std::scoped_lock lock(mutex);
      for (const TopicPartition& partition : partitions)
        wrong += owners[partition.partition].erase(number) == 1 ? 0 : 1;
    };
    consumers.push_back(std::make_unique<Consumer>(settings));
    consumers.back()->On("Placed", [&, number](const Record& record) {
      {
        const std::scoped_lock lock(mutex);
        wrong += owners[record.partition] == std::set<int>{number} ? 0 : 1;
      }
      handled.Add(std::to_string(record.partition) + "/" + std::to_string(record.offset));
      return Outcome::Ok();
    });
    consumers.back()->Start();
  };
  add(0);
  Eventually([&] { return handled.size() >= 200; }, "the first has handled all");
  add(1);
  Eventually(
      [&] {
        const std::scoped_lock lock(mutex);
        std::set<int> all;
        for (const auto& [partition, owner] : owners) all.insert(owner.begin(), owner.end());
        return all.size() == 2;
      },
      "both have partitions");
  for (std::int32_t partition = 0; partition < 4; ++partition) rig.Send(Numbered(50, partition));
  Eventually([&] { return handled.size() >= 400; }, "both have handled all");
  for (auto& consumer : consumers) consumer->Stop();
  const auto all = handled.all();
  CHECK(all.size() == 400);
  CHECK(std::set<std::string>(all.begin(), all.end()).size() == 400);
  CHECK(wrong == 0);
  for (const auto& [partition, owner] : owners) CHECK(owner.empty());
}

TEST_CASE("a setup that throws stops the consumer") {
  Rig rig;
  rig.Send(Numbered(1));
  rig.settings.setup = [](std::span<const TopicPartition>) { throw std::runtime_error("no database"); };
  Consumer consumer(rig.settings);
  consumer.On("Placed", rig.Noting());
  consumer.Start();
  CHECK_FALSE(consumer.Wait());
  CHECK(consumer.failure() == "setup: no database");
  CHECK(rig.handled.size() == 0);
}

TEST_CASE("a batch comes from one partition, in order, and is no larger than requested") {
  Rig rig;
  for (std::int32_t partition = 0; partition < 4; ++partition) rig.Send(Numbered(100, partition));
  rig.settings.batch_size = 30;
  Consumer consumer(rig.settings);
  std::map<std::int32_t, std::int64_t> next;
  std::size_t largest = 0;
  bool right = true;
  consumer.OnBatch({"Placed", "Paid"}, [&](std::span<const Record> records) {
    largest = std::max(largest, records.size());
    for (const Record& record : records)
      right = right && record.partition == records[0].partition && record.offset == next[record.partition]++;
    return Outcome::Ok();
  });
  consumer.Start();
  Eventually([&] { return consumer.counters().handled == 400; }, "all are handled");
  consumer.Stop();
  CHECK(right);
  CHECK(largest > 1);
  CHECK(largest <= 30);
}
