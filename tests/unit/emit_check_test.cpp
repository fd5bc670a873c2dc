// Tests that the emit helpers refuse what the relay would refuse later, and write only what the relay can read.
#include <outbox/emit/check.hpp>
#include <outbox/emit/detail/event_id.hpp>
#include <outbox/emit/detail/headers.hpp>
#include <random>
#include <set>

#include "kafka/topic_cache.hpp"
#include "kafka/topic_limits.hpp"
#include "outbox/record_rules.hpp"
#include "publisher/headers.hpp"
#include "tests/catch.hpp"

namespace {

namespace emit = outbox::emit;
using emit::EmitCode;

constexpr unsigned kSeed = 20261125;

std::optional<EmitCode> Refusal(const emit::NewEvent& event, const emit::Options& options = {}) {
  try {
    emit::Check(event, options);
  } catch (const emit::EmitError& error) {
    return error.code;
  }
  return std::nullopt;
}

std::string Bytes(std::mt19937& dice, std::size_t longest) {
  std::string bytes(dice() % (longest + 1), '\0');
  for (char& c : bytes) c = static_cast<char>(dice());
  return bytes;
}

}  // namespace

TEST_CASE("topics are refused as the relay refuses them") {
  for (const std::string& topic :
       {std::string("orders"), std::string("a.b-c_D9"), std::string(249, 'x'), std::string(250, 'x'), std::string(),
        std::string("."), std::string(".."), std::string("..."), std::string("__consumer_offsets"), std::string("_x"),
        std::string("with blank"), std::string("заказ"), std::string("nul\0", 4), std::string("a/b")}) {
    INFO("topic '" << topic << "'");
    const bool refused = Refusal({.topic = topic, .event_type = "t"}) == EmitCode::kBadTopic;
    CHECK(refused == outbox::BadTopicName(topic).has_value());
  }
}

TEST_CASE("headers are refused as the relay refuses them") {
  const std::string long_name(255, 'n'), longer_name(256, 'n');
  const std::vector<std::vector<emit::Header>> cases{{{"", "v"}},           {{"a", "1"}, {"b", "2"}, {"a", "3"}},
                                                     {{"event_id", "v"}},   {{"event_type", "v"}},
                                                     {{"two\nlines", "v"}}, {{"del\x7f", "v"}},
                                                     {{longer_name, "v"}},  {{"\xff", "v"}},
                                                     {{long_name, "v"}},    {{"имя", std::nullopt}, {"b", "\xff"}}};
  for (const auto& headers : cases) {
    INFO("first name '" << headers[0].name << "'");
    std::string packed;
    const bool refused = Refusal({.topic = "t", .event_type = "t", .headers = headers}) == EmitCode::kBadHeaders;
    CHECK(refused == !outbox::publisher::PackHeaders(emit::detail::HeadersJson(headers), packed).ok());
  }
  std::vector<std::string> names;
  for (int i = 0; i < 257; ++i) names.push_back("h" + std::to_string(i));
  emit::NewEvent many{.topic = "t", .event_type = "t"};
  for (const std::string& name : names) many.headers.push_back({name, "v"});
  CHECK(Refusal(many) == EmitCode::kBadHeaders);
  many.headers.pop_back();
  CHECK_FALSE(Refusal(many));
}

TEST_CASE("an invalid key or event type is refused") {
  const std::string_view nul("a\0b", 3);
  CHECK(Refusal({.topic = "t", .event_type = nul}) == EmitCode::kBadValue);
  CHECK(Refusal({.topic = "t", .event_type = "t", .aggregate_id = nul}) == EmitCode::kBadValue);
}

TEST_CASE("the relay reads every header back byte for byte, and computes the size that was checked") {
  std::mt19937 dice(kSeed);
  INFO("seed " << kSeed);
  for (int round = 0; round < 500; ++round) {
    const std::string key = Bytes(dice, 40), payload = Bytes(dice, 300), type = "type" + std::to_string(dice() % 1000);
    std::vector<std::string> names, values;
    for (std::size_t i = dice() % 5; i > 0; --i) {
      names.push_back("header \"" + std::to_string(i) + "\\ ё");
      values.push_back(dice() % 2 == 0 ? Bytes(dice, 70) : std::string(dice() % 200, 'v') + "\n\t\"\\\x01");
    }
    emit::NewEvent event{.topic = "orders", .event_type = type};
    if (dice() % 4 != 0) event.aggregate_id = key;
    if (dice() % 4 != 0) event.payload = payload;
    for (std::size_t i = 0; i < names.size(); ++i)
      event.headers.push_back({names[i], dice() % 5 == 0 ? std::nullopt : emit::Bytes(values[i])});

    std::string packed;
    REQUIRE(outbox::publisher::PackHeaders(emit::detail::HeadersJson(event.headers), packed).ok());
    outbox::publisher::HeaderReader reader(packed);
    REQUIRE(reader.count() == event.headers.size());
    outbox::publisher::Header header;
    for (const emit::Header& written : event.headers) {
      REQUIRE(reader.Next(header));
      CHECK(header.name == written.name);
      CHECK(header.value == written.value);
    }

    outbox::Event row;
    const std::string id(36, 'e');
    row.event_id = id;
    row.event_type = type;
    row.aggregate_id = event.aggregate_id;
    row.payload = event.payload;
    const std::size_t size = outbox::kafka::BatchBytes({row, packed});
    CHECK(emit::detail::RecordBytes(event) == size);
    event.aggregate_id = std::nullopt;  // A random key may contain a NUL, which is refused.
    const std::size_t exactly = emit::detail::RecordBytes(event);
    CHECK_FALSE(Refusal(event, {.max_record_bytes = exactly}));
    CHECK(Refusal(event, {.max_record_bytes = exactly - 1}) == EmitCode::kTooLarge);
  }
}

TEST_CASE("event ids are UUIDs of version 7, and no two are equal") {
  using namespace emit::detail;
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    EventId id{};
    REQUIRE(NewEventId(id));
    const std::string text = EventIdText(id);
    REQUIRE(text.size() == 36);
    REQUIRE(text[14] == '7');
    REQUIRE(std::string("89ab").find(text[19]) != std::string::npos);
    REQUIRE(ParseEventId(text) == id);
    REQUIRE(seen.insert(text).second);
  }
  CHECK(ParseEventId("0192F0C1-2B3C-7D4E-8F50-A1B2C3D4E5F6"));
  for (const char* bad :
       {"", "0192f0c1", "0192f0c12b3c7d4e8f50a1b2c3d4e5f60000", "0192f0c1-2b3c-7d4e-8f50-a1b2c3d4e5fg"})
    CHECK_FALSE(ParseEventId(bad));
}
