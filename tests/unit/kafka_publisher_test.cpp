#include <algorithm>
#include <set>

#include "tests/unit/kafka_fixture.hpp"
#include "tests/unit/kafka_topic_reader.hpp"

using namespace outbox;
using namespace outbox::publisher;
using namespace outbox::test;
using namespace std::string_literals;

namespace {

std::vector<std::string> Values(const std::vector<StoredRecord>& records) {
  std::vector<std::string> values;
  for (const StoredRecord& record : records) values.push_back(record.value.value_or("(none)"));
  return values;
}

// Returns the first difference, or "" if the lists are equal. The lists are too long to print.
std::string Difference(const std::vector<std::string>& seen, const std::vector<std::string>& expected) {
  for (std::size_t i = 0; i < std::max(seen.size(), expected.size()); ++i) {
    const std::string a = i < seen.size() ? seen[i] : "(end)";
    const std::string b = i < expected.size() ? expected[i] : "(end)";
    if (a != b) return "at " + std::to_string(i) + ": " + a + ", expected " + b;
  }
  return "";
}

}  // namespace

TEST_CASE_METHOD(KafkaFixture, "a record carries every byte, and null and empty values differ", "[b82]") {
  Make();
  const PreparedBatch batch = Prepare({
      {topic, "k", "{}", R"({"trace": "7", "none": null, "empty": "", "raw": {"base64": "AP8="}})", "e1", "Placed"},
      {topic, std::nullopt, std::nullopt, std::nullopt, "e2", "Gone"},
      {topic, "", "", "{}", "e3", "Placed"},
      {topic, "a\0b"s, std::string(300'000, '\0') + "\xff", std::nullopt, "e4", "Ъ"},
  });
  publisher->Publish(All(batch, 100), 7);
  REQUIRE(listener.WaitForReports(4));
  std::set<std::uint32_t> reported;
  for (const Report& report : listener.reports()) {
    CHECK(report.epoch == 7);
    CHECK(report.outcome == Outcome::kAcknowledged);
    reported.insert(report.event);
  }
  CHECK(reported == std::set<std::uint32_t>{100, 101, 102, 103});

  std::map<MaybeText, StoredRecord> records;  // Keyed by event_id.
  for (const StoredRecord& record : ReadTopic(broker->bootstrap(), topic, kPartitions)) {
    REQUIRE_FALSE(record.headers.empty());
    records.emplace(record.headers[0].second, record);
  }
  REQUIRE(records.size() == 4);
  using Headers = decltype(StoredRecord::headers);
  CHECK(records["e1"].key == "k");
  CHECK(records["e1"].value == "{}");
  CHECK(records["e1"].headers == Headers{{"event_id", "e1"},
                                         {"event_type", "Placed"},
                                         {"trace", "7"},
                                         {"none", std::nullopt},
                                         {"empty", ""},
                                         {"raw", "\0\xff"s}});
  CHECK(records["e2"].key == std::nullopt);
  CHECK(records["e2"].value == std::nullopt);
  CHECK(records["e2"].headers == Headers{{"event_id", "e2"}, {"event_type", "Gone"}});
  CHECK(records["e3"].key == "");
  CHECK(records["e3"].value == "");
  CHECK(records["e4"].key == "a\0b"s);
  const bool same = records["e4"].value == std::string(300'000, '\0') + "\xff";
  CHECK(same);
}

TEST_CASE_METHOD(KafkaFixture, "partitions are those of Java clients, and each partition is a lane", "[b81]") {
  // Keys and their murmur2 hashes from Kafka's UtilsTest. The partition is (hash & 0x7fffffff) % partitions.
  const std::vector<std::pair<std::string, std::int32_t>> hashes = {
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107},
  };
  Make();
  std::vector<Row> rows;
  for (const auto& [key, hash] : hashes) rows.push_back({topic, key});
  for (int i = 0; i < 24; ++i) rows.push_back({topic, std::nullopt});
  const PreparedBatch batch = Prepare(rows);
  std::set<Lane> without_key;
  for (std::size_t i = hashes.size(); i < rows.size(); ++i) without_key.insert(batch.events[i].lane);
  CHECK(without_key.size() == 4);

  publisher->Publish(All(batch), 1);
  REQUIRE(listener.WaitForReports(rows.size()));
  std::map<Lane, std::int32_t> partition_of;
  for (const StoredRecord& record : ReadTopic(broker->bootstrap(), topic, kPartitions)) {
    if (!record.key) continue;
    const auto known = std::find_if(hashes.begin(), hashes.end(), [&](const auto& h) { return h.first == record.key; });
    REQUIRE(known != hashes.end());
    CHECK(record.partition == (known->second & 0x7fffffff) % kPartitions);
    const Lane lane = batch.events[static_cast<std::size_t>(known - hashes.begin())].lane;
    CHECK(partition_of.try_emplace(lane, record.partition).first->second == record.partition);
  }
}

TEST_CASE_METHOD(KafkaFixture, "order holds in a lane, over many requests in flight") {
  Make({{"batch.num.messages", "7"}, {"linger.ms", "0"}});
  Prove(1);
  std::vector<std::string> expected = {"proof"};
  for (std::size_t b = 0; b < 20; ++b) {
    const PreparedBatch batch = Prepare(Numbered(100, b * 100));
    publisher->Publish(All(batch), 1);
    REQUIRE(listener.WaitForReports(1 + (b + 1) * 100));
    for (std::size_t i = 0; i < 100; ++i) expected.push_back(std::to_string(b * 100 + i));
  }
  CHECK(listener.Count(Outcome::kAcknowledged) == 2001);
  CHECK(Difference(Values(ReadTopic(broker->bootstrap(), topic, kPartitions)), expected) == "");
}

TEST_CASE_METHOD(KafkaFixture, "a reset reports everything, and then events go on in order", "[b70][b77]") {
  Make({{"batch.num.messages", "10"}, {"linger.ms", "0"}});
  Prove(1);

  SECTION("while requests are on the wire, whose answers are awaited") { BrokerSlow(100); }
  SECTION("while the broker does not answer") { BrokerSlow(60'000); }
  SECTION("while the broker is down") { BrokerDown(); }

  std::size_t stored = 0;
  {
    const PreparedBatch batch = Prepare(Numbered(500));
    publisher->Publish(All(batch, 1000), 1);
    Reset(2);
    // All reports arrive before the answer to the reset. After that answer the memory of the batch may be freed.
    REQUIRE(listener.reported_before_reset() == 501);
    REQUIRE(listener.reports().size() == 501);
    stored = listener.Count(Outcome::kAcknowledged) - 1;
    CHECK(listener.Count(Outcome::kUnknown) == 500 - stored);
    // The acknowledged events are the first ones of the batch.
    for (const Report& report : listener.reports()) {
      if (report.epoch == 1 && report.event >= 1000) {
        CHECK((report.event < 1000 + stored) == (report.outcome == Outcome::kAcknowledged));
      }
    }
  }
  rd_kafka_mock_broker_set_up(broker->mock(), 1);
  BrokerSlow(0);
  Prove(2);
  const PreparedBatch again = Prepare(Numbered(500 - stored, stored));
  publisher->Publish(All(again, 2000), 2);
  REQUIRE(listener.WaitForReports(502 + 500 - stored));
  CHECK(listener.Count(Outcome::kAcknowledged) == 502);

  std::vector<std::string> first_seen;
  for (const std::string& value : Values(ReadTopic(broker->bootstrap(), topic, kPartitions))) {
    if (std::find(first_seen.begin(), first_seen.end(), value) == first_seen.end()) first_seen.push_back(value);
  }
  std::vector<std::string> expected = {"proof"};
  for (int i = 0; i < 500; ++i) expected.push_back(std::to_string(i));
  CHECK(Difference(first_seen, expected) == "");
}

TEST_CASE_METHOD(KafkaFixture, "a request that the broker refuses for good stops its stream until a reset",
                 "[b68][b70]") {
  Make({{"batch.num.messages", "10"}, {"linger.ms", "0"}});
  Prove(1);
  rd_kafka_mock_push_request_errors(broker->mock(), 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  const PreparedBatch batch = Prepare(Numbered(100));
  publisher->Publish(std::vector<Outgoing>{{&batch, 0, 0}}, 1);
  REQUIRE(listener.WaitForReports(2));
  const Report refused = listener.reports()[1];
  CHECK(refused.outcome == Outcome::kRefused);
  CHECK(publisher->Explain(refused.error).reason == "too_large");
  CHECK(publisher->Explain(refused.error).text.find("max.message.bytes") != std::string::npos);
  REQUIRE(listener.WaitForFailures(1));

  // Before the engine resets, no event may be sent behind the refused one.
  publisher->Publish(std::vector<Outgoing>{{&batch, 1, 1}, {&batch, 2, 2}}, 1);
  REQUIRE(listener.WaitForReports(4));
  CHECK(listener.Count(Outcome::kUnknown) == 2);
  Reset(2);
  publisher->Publish(std::vector<Outgoing>{{&batch, 1, 1}}, 2);
  REQUIRE(listener.WaitForReports(5));
  CHECK(listener.reports()[4].outcome == Outcome::kAcknowledged);
  CHECK(Values(ReadTopic(broker->bootstrap(), topic, kPartitions)) == std::vector<std::string>{"proof", "1"});
  CHECK(listener.failures().size() == 1);
}

TEST_CASE_METHOD(KafkaFixture, "a success without an offset does not count", "[b64]") {
  // With a fresh producer and several requests in flight, the first request is refused with a retriable error.
  // librdkafka infers from the success of the second request that the first was stored too, but this broker has not
  // stored it.
  Make({{"batch.num.messages", "2"}, {"linger.ms", "0"}});
  const PreparedBatch batch = Prepare(Numbered(10));
  BrokerSlow(200);  // The second request is sent before the first is answered.
  rd_kafka_mock_push_request_errors(broker->mock(), 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  publisher->Publish(All(batch), 1);
  REQUIRE(listener.WaitForReports(10));
  std::vector<std::string> stored;
  for (const Report& report : listener.reports()) {
    if (report.outcome == Outcome::kAcknowledged) stored.push_back(std::to_string(report.event));
  }
  CHECK(Values(ReadTopic(broker->bootstrap(), topic, kPartitions)) == stored);
  CHECK(stored.size() < 10);
}

TEST_CASE_METHOD(KafkaFixture, "the state of the broker is reported once per change", "[b63]") {
  Make({{"reconnect.backoff.max.ms", "200"}});
  Prove(1);
  REQUIRE(listener.WaitForStates(1));
  CHECK(listener.states()[0].first);
  BrokerDown();
  const PreparedBatch batch = Prepare(Numbered(5));
  publisher->Publish(All(batch), 1);
  REQUIRE(listener.WaitForStates(2));
  CHECK_FALSE(listener.states()[1].first);
  CHECK(listener.states()[1].second.find("127.0.0.1") != std::string::npos);
  // Nothing is in flight any more, so the publisher has to find out by itself that the broker is available again.
  Reset(2);
  rd_kafka_mock_broker_set_up(broker->mock(), 1);
  REQUIRE(listener.WaitForStates(3));
  CHECK(listener.states()[2].first);
  CHECK(listener.states().size() == 3);
}

TEST_CASE_METHOD(KafkaFixture, "a broker that answers is reported before anything is sent") {
  Make();
  REQUIRE(listener.WaitForStates(1));
  CHECK(listener.states()[0].first);
}

TEST_CASE_METHOD(KafkaFixture, "a publisher can be destroyed with records in flight and the broker gone", "[b6]") {
  Make();
  Prove(1);
  BrokerDown();
  const PreparedBatch batch = Prepare(Numbered(100));
  publisher->Publish(All(batch), 1);
  const auto before = std::chrono::steady_clock::now();
  publisher.reset();
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(3));
}
