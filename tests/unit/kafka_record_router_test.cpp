#include <filesystem>
#include <fstream>
#include <thread>

#include "kafka/topic_cache.hpp"
#include "kafka/topic_limits.hpp"
#include "outbox/record_rules.hpp"
#include "tests/unit/kafka_fixture.hpp"

using namespace outbox;
using namespace outbox::publisher;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

const Refusal* RefusalOf(const PreparedBatch& batch, std::size_t i) {
  const std::int32_t refusal = batch.events[i].refusal;
  return refusal < 0 ? nullptr : &batch.refusals[static_cast<std::size_t>(refusal)];
}

std::string ReasonOf(const PreparedBatch& batch, std::size_t i) {
  const Refusal* refusal = RefusalOf(batch, i);
  return refusal == nullptr ? "" : refusal->reason;
}

}  // namespace

TEST_CASE_METHOD(KafkaFixture, "an event too large for its topic is refused before it is sent, exact to the byte",
                 "[b72]") {
  Make({{"message.max.bytes", "2000"}});
  Row fits{topic, "k", ""};
  const auto size = [](const Row& row) {
    const PreparedBatch batch = MakeBatch({row});
    return kafka::BatchBytes({ToEvent(batch.batch[0]), {}});
  };
  while (size(fits) < 2000) *fits.payload += 'x';
  REQUIRE(size(fits) == 2000);
  Row too_large = fits;
  *too_large.payload += 'x';
  const PreparedBatch batch = Prepare({too_large, fits});
  REQUIRE(ReasonOf(batch, 0) == "too_large");
  const std::string text = RefusalOf(batch, 0)->text;
  CHECK(text.find("2001") != std::string::npos);
  CHECK(text.find("2000") != std::string::npos);
  CHECK(RefusalOf(batch, 1) == nullptr);
}

TEST_CASE_METHOD(KafkaFixture, "a bad topic or bad headers refuse their own events only", "[b71][b74][b83][b84]") {
  Make();
  // The broker's answer about the topic names no partitions, like that of a real broker. An answer with partitions
  // crashes librdkafka 2.8.
  rd_kafka_mock_topic_create(broker->mock(), "secret", 0, 1);
  rd_kafka_mock_topic_set_error(broker->mock(), "secret", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  rd_kafka_mock_topic_set_error(broker->mock(), "gone", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const PreparedBatch batch = Prepare({{topic}, {"secret"}, {"gone"}, {"../x"}, {topic, "k", "{}", "[1]"}, {topic}});
  CHECK(ReasonOf(batch, 0).empty());
  CHECK(ReasonOf(batch, 1) == "forbidden_topic");
  CHECK(ReasonOf(batch, 2) == "unknown_topic");
  CHECK(RefusalOf(batch, 2)->text == "the topic \"gone\" does not exist; create it");
  CHECK(ReasonOf(batch, 3) == "bad_topic");
  CHECK(ReasonOf(batch, 4) == "bad_headers");
  CHECK(ReasonOf(batch, 5).empty());
  CHECK(batch.events[0].lane == batch.events[5].lane);
  CHECK_FALSE(batch.drain_first);

  // A topic that is created later is found by a later lookup.
  rd_kafka_mock_topic_set_error(broker->mock(), "gone", RD_KAFKA_RESP_ERR_NO_ERROR);
  const auto end = kafka::Clock::now() + 10s;
  while (!ReasonOf(Prepare({{"gone"}}), 0).empty() && kafka::Clock::now() < end) std::this_thread::sleep_for(20ms);
  CHECK(ReasonOf(Prepare({{"gone"}}), 0).empty());
}

TEST_CASE_METHOD(KafkaFixture, "a topic that is known to be missing is looked up without a pause", "[b71]") {
  Make();
  rd_kafka_mock_topic_set_error(broker->mock(), "gone", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  REQUIRE(ReasonOf(Prepare({{"gone"}}), 0) == "unknown_topic");
  auto quickest = kafka::Clock::duration::max();
  for (int look = 0; look < 3; ++look) {
    std::this_thread::sleep_for(1100ms);  // Waits until the cached answer about the topic has expired.
    const auto begun = kafka::Clock::now();
    CHECK(ReasonOf(Prepare({{"gone"}}), 0) == "unknown_topic");
    quickest = std::min(quickest, kafka::Clock::now() - begun);
  }
  CHECK(quickest < 150ms);  // Less than the two pauses of a first lookup, which take 200 ms.
}

TEST_CASE_METHOD(KafkaFixture, "an event waits until its topic is found or known to be missing", "[b71]") {
  Make();
  Prove(1);
  const std::string late = topic + "-late";
  rd_kafka_mock_topic_set_error(broker->mock(), late.c_str(), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const std::size_t known = listener.topics_known();
  // A topic counts as missing only after three lookups, which take longer than Prepare waits.
  const PreparedBatch batch = PrepareOnce({{late}, {topic}, {"../x"}});
  CHECK(batch.events[0].waits);
  CHECK(ReasonOf(batch, 0).empty());
  CHECK_FALSE(batch.events[1].waits);
  CHECK(ReasonOf(batch, 2) == "bad_topic");
  REQUIRE(listener.WaitForTopics(known + 1));
  const PreparedBatch again = PrepareOnce({{late}});
  CHECK_FALSE(again.events[0].waits);
  CHECK(ReasonOf(again, 0) == "unknown_topic");
}

TEST_CASE_METHOD(KafkaFixture, "while the broker answers slowly, events of known topics do not wait", "[b71]") {
  Make();
  Prove(1);
  const std::string slow = topic + "-slow";
  BrokerSlow(400);
  const auto took = [&](std::vector<Row> rows, PreparedBatch& batch) {
    const auto begun = kafka::Clock::now();
    batch = PrepareOnce(std::move(rows));
    return kafka::Clock::now() - begun;
  };
  PreparedBatch batch;
  const std::size_t known = listener.topics_known();
  CHECK(took({{topic}, {slow + "0"}, {topic}}, batch) < 300ms);
  CHECK_FALSE(batch.events[0].waits);
  CHECK(batch.events[1].waits);
  // Prepare may spend at most a tenth of the running time waiting for the broker's answers about topics. The first
  // call has used up that share, so the next calls do not wait.
  auto quickest = kafka::Clock::duration::max();
  for (int i = 1; i < 5; ++i) {
    quickest = std::min(quickest, took({{topic}, {slow + std::to_string(i)}}, batch));
    CHECK(batch.events[1].waits);
  }
  CHECK(quickest < 25ms);
  rd_kafka_mock_broker_set_rtt(broker->mock(), 1, 0);
  REQUIRE(listener.WaitForTopics(known + 1));
  CHECK(ReasonOf(Prepare({{slow + "0"}, {slow + "4"}}), 0).empty());
  CHECK(took({{slow + "0"}, {slow + "4"}}, batch) < 300ms);
  CHECK_FALSE(AnyWaits(batch));
}

TEST_CASE_METHOD(KafkaFixture, "a topic that disappears is looked up again after the broker has reported it", "[b71]") {
  Make();
  Prove(1);
  rd_kafka_mock_topic_set_error(broker->mock(), topic.c_str(), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  CHECK(ReasonOf(Prepare({{topic}}), 0).empty());
  rd_kafka_mock_push_request_errors(broker->mock(), 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  const PreparedBatch batch = Prepare({{topic}});
  publisher->Publish(All(batch), 1);
  REQUIRE(listener.WaitForReports(2));
  CHECK(listener.reports()[1].outcome == Outcome::kRefused);
  CHECK(ReasonOf(Prepare({{topic}}), 0) == "unknown_topic");
}

TEST_CASE("topic names", "[b84]") {
  for (const char* good : {"a", "A.b_c-9", "_x", "..."}) CHECK_FALSE(BadTopicName(good));
  for (const char* bad : {"", ".", "..", "a b", "a/b", "\xd1\x8f", "__consumer_offsets", "a\nb"}) {
    CHECK(BadTopicName(bad));
  }
  CHECK_FALSE(BadTopicName(std::string(249, 'a')));
  CHECK(BadTopicName(std::string(250, 'a')));
}

TEST_CASE_METHOD(KafkaFixture, "a broker that does not answer is not charged to any event", "[b25]") {
  Make({{"bootstrap.servers", "127.0.0.1:1"}});
  const auto prepare = [&] {
    PreparedBatch batch = MakeBatch({Row{}});
    const auto before = kafka::Clock::now();
    const Status status = publisher->Prepare(batch, Millis(400));
    CHECK(kafka::Clock::now() - before < 400ms);
    if (status.ok()) CHECK(batch.events[0].waits);
    return status;
  };
  SECTION("a read fails while no broker answers") {
    Status status = prepare();
    for (const auto end = kafka::Clock::now() + 10s; status.ok() && kafka::Clock::now() < end; status = prepare())
      std::this_thread::sleep_for(10ms);
    CHECK(status.code() == OUTBOX_UNAVAILABLE);
    REQUIRE(listener.WaitForStates(1));
    CHECK_FALSE(listener.states()[0].first);
    CHECK(prepare().text().find("127.0.0.1:1") != std::string::npos);
    CHECK(listener.topics_known() == 0);
  }
  SECTION("nothing is awaited after Cancel") {
    (void)prepare();
    publisher->Cancel();
    CHECK(prepare().code() == OUTBOX_CANCELLED);
    CHECK(prepare().code() == OUTBOX_CANCELLED);
  }
}

TEST_CASE("an unusable TLS file is named with the reason") {
  RecordingListener listener;
  const auto why = [&](const std::string& name, const std::string& file) {
    kafka::Settings settings;
    settings.properties = {{"bootstrap.servers", "127.0.0.1:1"}, {"security.protocol", "ssl"}, {name, file}};
    if (name == "ssl.keystore.location") settings.properties["ssl.keystore.password"] = "x";
    const auto made =
        kafka::MakeKafkaPublisher(settings, listener, spdlog::null_logger_mt(std::to_string(++KafkaFixture::loggers)));
    REQUIRE_FALSE(made.ok());
    CHECK(made.status().code() == OUTBOX_BAD_CONFIG);
    return made.status().text();
  };
  std::string folder = (std::filesystem::temp_directory_path() / "tls-test-XXXXXX").string();
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  const std::string file = folder + "/key.pem";
  std::ofstream(file) << "-----BEGIN OTHER THING-----\nAAAA\n-----END OTHER THING-----\n";
  for (const std::string name : {"ssl.ca.location", "ssl.crl.location", "ssl.certificate.location", "ssl.key.location",
                                 "ssl.keystore.location"}) {
    INFO(name);
    const std::string place = "/publisher/kafka/" + name + ": ";
    CHECK(why(name, folder + "/none").starts_with(place + folder + "/none does not exist; expected a file"));
    if (name != "ssl.keystore.location") CHECK(why(name, file).starts_with(place + file + " holds no \""));
    if (name != "ssl.ca.location") CHECK(why(name, folder).starts_with(place + folder + " is a folder"));
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("properties that are wrong, or reserved for the relay, are named", "[b69]") {
  RecordingListener listener;
  const auto why = [&](const std::string& name, const std::string& value) {
    kafka::Settings settings;
    settings.properties = {{"bootstrap.servers", "127.0.0.1:1"}, {name, value}};
    const auto made =
        kafka::MakeKafkaPublisher(settings, listener, spdlog::null_logger_mt(std::to_string(++KafkaFixture::loggers)));
    REQUIRE_FALSE(made.ok());
    CHECK(made.status().code() == OUTBOX_BAD_CONFIG);
    CHECK(made.status().text().find(name) != std::string::npos);
    return made.status().text();
  };
  CHECK(why("linger.msec", "3").find("No such configuration property") != std::string::npos);
  CHECK(why("linger.ms", "soon") != "");
  CHECK(why("enable.idempotence", "false").find("the relay sets it") != std::string::npos);
  CHECK(why("message.timeout.ms", "1000").find("relay.delivery_timeout") != std::string::npos);
  CHECK(why("security.protocol", "ssh") != "");
}
