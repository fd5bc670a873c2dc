// Tests how a configuration is read, and the exact error messages for a broken one.
#include <string>
#include <string_view>

#include "tests/catch.hpp"
#include "tests/unit/kafka_config.hpp"

namespace outbox::config {
namespace {

using namespace std::chrono_literals;

constexpr const char* kStorage = R"("storage": { "plugin": "memory" })";
constexpr const char* kPublisher = R"("publisher": { "kafka": { "bootstrap.servers": "kafka:9092" } })";

std::string WithRelay(const std::string& relay) {
  return std::string("{ ") + kStorage + ", " + kPublisher + ", \"relay\": {" + relay + "} }";
}
std::string WithKafka(const std::string& properties) {
  return std::string("{ ") + kStorage + R"(, "publisher": { "kafka": { "bootstrap.servers": "kafka:9092", )" +
         properties + "} } }";
}

std::string ProblemsOf(const std::string& text) {
  const auto config = Parse(text, "relay.json");
  if (config.ok()) return "no problem";
  CHECK(config.status().code() == OUTBOX_BAD_CONFIG);
  return config.status().text();
}

TEST_CASE("a complete configuration is read as written") {
  const auto config = Parse(R"({
    // comments are allowed
    "storage": { "plugin": "postgres", "plugin_path": "/opt/outbox-postgres.so", "options": { "pool": 3, "deep": { "x": [1, null] } } },
    "plugins": { "trusted_owners": ["deploy", 1000] },
    "publisher": { "type": "stdout", "strict": true, "headers": "strict", "kafka": { "linger.ms": 2, "socket.keepalive.enable": true } },
    "relay": { "id": "r1", "batch_size": 10, "reserve_duration": "1m", "poll_interval": "1s", "ordering": "none",
               "max_in_flight_events": 20, "max_in_flight_bytes": 1000000, "max_attempts": 3, "on_exhausted": "block",
               "retry_backoff": "10ms", "max_retry_backoff": "1h", "delivery_timeout": "2s", "storage_timeout": "3s",
               "shutdown_timeout": "4s" },
    "http": { "listen": "[::1]:9464", "refresh_interval": "3s" },
    "log": { "level": "debug", "format": "json" } })",
                            "relay.json");
  INFO(config.status().text());
  REQUIRE(config.ok());
  CHECK(config->storage.plugin == "postgres");
  CHECK(config->storage.plugin_path == "/opt/outbox-postgres.so");
  CHECK(config->storage.options == R"({"deep":{"x":[1,null]},"pool":3})");
  CHECK(config->publisher.type == "stdout");
  CHECK(config->plugins.trusted_owners == std::vector<std::string>{"deploy", "1000"});
  CHECK(config->publisher.strict);
  CHECK(config->publisher.strict_headers);
  CHECK(config->publisher.kafka.at("linger.ms") == "2");
  CHECK(config->publisher.kafka.at("socket.keepalive.enable") == "true");
  CHECK(config->http.listen == "[::1]:9464");
  CHECK(config->http.refresh_interval == 3s);
  CHECK(config->relay.id == "r1");
  CHECK(config->relay.batch_size == 10);
  CHECK(config->relay.reserve_duration == 60s);
  CHECK(config->relay.poll_interval == 1s);
  CHECK(config->relay.ordering == Ordering::kNone);
  CHECK(config->relay.max_in_flight_events == 20);
  CHECK(config->relay.max_in_flight_bytes == 1'000'000);
  CHECK(config->relay.failures.max_attempts == 3);
  CHECK(config->relay.failures.on_exhausted == OnExhausted::kBlock);
  CHECK(config->relay.failures.retry_backoff == 10ms);
  CHECK(config->relay.failures.max_retry_backoff == 1h);
  CHECK(config->relay.delivery_timeout == 2s);
  CHECK(config->relay.storage_timeout == 3s);
  CHECK(config->relay.shutdown_timeout == 4s);
  CHECK(config->log.level == "debug");
  CHECK(config->log.format == "json");
}

TEST_CASE("a warning is given for an address that others can reach", "[b120]") {
  for (const auto& [address, warned] : std::vector<std::pair<std::string, bool>>{{"0.0.0.0:1", true},
                                                                                 {"[::]:1", true},
                                                                                 {"93.184.215.14:1", true},
                                                                                 {"[2606:4700::1]:1", true},
                                                                                 {"[::ffff:8.8.8.8]:1", true},
                                                                                 {"127.0.0.1:1", false},
                                                                                 {"127.1.2.3:1", false},
                                                                                 {"[::1]:1", false},
                                                                                 {"[::ffff:127.0.0.1]:1", false},
                                                                                 {"10.1.2.3:1", false},
                                                                                 {"172.16.0.1:1", false},
                                                                                 {"172.32.0.1:1", true},
                                                                                 {"192.168.0.1:1", false},
                                                                                 {"[fd00::1]:1", false},
                                                                                 {"[fe80::1]:1", false}}) {
    const auto config = Parse(
        R"({"storage": {"plugin": "memory"}, "publisher": {"type": "stdout"}, "http": {"listen": ")" + address + "\"}}",
        "relay.json");
    INFO(address);
    REQUIRE(config.ok());
    CHECK(config->warnings.size() == (warned ? 1U : 0U));
  }
}

TEST_CASE("owners of plugins are names or numbers", "[b119]") {
  for (const char* owners : {"\"deploy\"", "[-1]", "[1.5]", "[\"\"]", "[true]", "[4294967295]"})
    CHECK(
        ProblemsOf(
            std::string(
                R"({"storage": {"plugin": "memory"}, "publisher": {"type": "stdout"}, "plugins": {"trusted_owners": )") +
            owners + "}}")
            .find("/plugins/trusted_owners") != std::string::npos);
  CHECK(ProblemsOf(R"({"storage": {"plugin": "memory"}, "publisher": {"type": "stdout"}, "plugins": {"trusted_owners":
                      ["deploy", -1]}})")
            .find("/plugins/trusted_owners/1: -1 is not valid; expected a user") != std::string::npos);
}

TEST_CASE("the default of on_exhausted depends on the ordering") {
  CHECK(Parse(WithRelay(""), "relay.json")->relay.failures.on_exhausted == OnExhausted::kBlock);
  CHECK(Parse(WithRelay(R"("ordering": "key")"), "relay.json")->relay.failures.on_exhausted == OnExhausted::kBlock);
  CHECK(Parse(WithRelay(R"("ordering": "none")"), "relay.json")->relay.failures.on_exhausted ==
        OnExhausted::kDeadLetter);
  CHECK(Parse(WithRelay(R"("on_exhausted": "dead_letter")"), "relay.json")->relay.failures.on_exhausted ==
        OnExhausted::kDeadLetter);
}

TEST_CASE("a topic's policy inherits what it does not set") {
  const auto config = Parse(WithRelay(R"("max_attempts": 7, "retry_backoff": "2s", "topics": [
      {"topic": "audit.*", "on_exhausted": "dead_letter"}, {"topic": "orders", "max_attempts": 1}])"),
                            "relay.json");
  INFO(config.status().text());
  REQUIRE(config.ok());
  const auto& topics = config->relay.topics;
  REQUIRE(topics.size() == 2);
  CHECK(topics[0].pattern == "audit.*");
  CHECK(topics[0].failures.on_exhausted == OnExhausted::kDeadLetter);
  CHECK(topics[0].failures.max_attempts == 7);
  CHECK(topics[1].failures.on_exhausted == OnExhausted::kBlock);
  CHECK(topics[1].failures.max_attempts == 1);
  CHECK(topics[1].failures.retry_backoff == 2s);
  CHECK(config->relay.AsksForDeadLetters() == "/relay/topics/0/on_exhausted");
  CHECK(Parse(WithRelay(R"("topics": [{"topic": "a"}])"), "relay.json")->relay.AsksForDeadLetters().empty());
}

TEST_CASE("a JSON error is reported with line and column", "[b14]") {
  CHECK(ProblemsOf(" \n") == "relay.json:1:1: the file is empty; expected an object { ... }");
  CHECK(ProblemsOf("{\n  \"storage\": {\n    plugin: 1\n") ==
        "relay.json:3:5: syntax error while parsing object key - invalid literal; expected "
        "string literal");
  CHECK(ProblemsOf("{ \"log\": {},\n}") ==
        "relay.json:2:1: syntax error while parsing object key - unexpected '}'; expected string literal (remove the "
        "comma before it)");
  CHECK(ProblemsOf("{ \"log\": {}\n\"relay\": {} }") ==
        "relay.json:2:7: syntax error while parsing object - unexpected string literal; expected '}' (a comma may be "
        "missing before it)");
  CHECK(ProblemsOf("{} {}") ==
        "relay.json:1:4: syntax error while parsing value - unexpected '{'; expected end of input");
}

TEST_CASE("a syntax error does not show the text that was read, because it may be a password") {
  const std::string problem = ProblemsOf("{ \"storage\": { \"options\": { \"password\": \"hunter2\n\" } } }");
  CHECK(problem.find("relay.json:1:") == 0);
  CHECK(problem.find("hunter2") == std::string::npos);
}

struct Broken {
  std::string text;
  std::string problem;
};

TEST_CASE("each mistake is reported with its location, its value and its fix", "[b14]") {
  const Broken table[] = {
      {"[]", "relay.json: the configuration must be an object { ... }"},
      {WithRelay(R"("batch_sise": 10)"), R"(relay.json:1: /relay/batch_sise: unknown key; did you mean "batch_size"?)"},
      {std::string("{ ") + kStorage + ", " + kPublisher + ",\n \"zzz\": 1 }",
       "relay.json:2: /zzz: unknown key; valid here: storage, record, plugins, publisher, relay, http, log"},
      {std::string("{ ") + kPublisher + "}",
       "relay.json: /storage/plugin: missing; expected the name of a storage plugin, such as \"postgres\" or "
       "\"sqlite\"; `outbox-relay plugins` lists them"},
      {std::string("{ \"storage\": { \"plugin\": \"../evil\" }, ") + kPublisher + "}",
       "relay.json:1: /storage/plugin: \"../evil\" is not valid; expected the name of a storage plugin, such as "
       "\"postgres\" or \"sqlite\"; `outbox-relay plugins` lists them"},
      {std::string("{ \"storage\": { \"plugin\": \"memory\", \"plugin_path\": \"x.so\" }, ") + kPublisher + "}",
       "relay.json:1: /storage/plugin_path: \"x.so\" is not valid; expected the absolute path of a file, or \"\" to "
       "search by name"},
      {std::string("{ ") + kStorage + "}",
       "relay.json: /publisher/kafka/bootstrap.servers: missing; expected the brokers to ask first, such as "
       "\"kafka1:9092,kafka2:9092\""},
      {WithRelay("\"batch_size\": 1,\n \"batch_size\": 2"),
       "relay.json:1: /relay/batch_size: duplicate key \"batch_size\", again on line 2; keep one of the two"},
      {WithRelay(R"("batch_size": "many")"),
       "relay.json:1: /relay/batch_size: \"many\" is not valid; expected a whole number from 1 to 100000"},
      {WithRelay(R"("batch_size": 0)"),
       "relay.json:1: /relay/batch_size: 0 is not valid; expected a whole number from 1 to 100000"},
      {WithRelay(R"("batch_size": -1)"),
       "relay.json:1: /relay/batch_size: -1 is not valid; expected a whole number from 1 to 100000"},
      {WithRelay(R"("batch_size": 1e3)"),
       "relay.json:1: /relay/batch_size: 1000.0 is not valid; expected a whole number from 1 to 100000"},
      {WithRelay(R"("reserve_duration": 15)"),
       "relay.json:1: /relay/reserve_duration: 15 is not valid; expected a duration from \"2s\" to \"1h\", a whole "
       "number with the unit ms, s, m or h"},
      {WithRelay(R"("reserve_duration": "1s")"),
       "relay.json:1: /relay/reserve_duration: \"1s\" is not valid; expected a duration from \"2s\" to \"1h\", a "
       "whole number with the unit ms, s, m or h"},
      {WithRelay(R"("max_in_flight_bytes": "32 MiB")"),
       "relay.json:1: /relay/max_in_flight_bytes: \"32 MiB\" is not valid; expected a size from \"64KiB\" to "
       "\"1024GiB\", such as \"32MiB\", \"64KiB\", \"10MB\" or a number of bytes"},
      {WithRelay(R"("ordering": "Key")"),
       "relay.json:1: /relay/ordering: \"Key\" is not valid; expected one of \"key\", \"none\""},
      {WithRelay(R"("id": "a b")"),
       "relay.json:1: /relay/id: \"a b\" is not valid; expected up to 128 printable ASCII characters without spaces"},
      {WithRelay(R"("batch_size": 11, "max_in_flight_events": 20)"),
       "relay.json:1: /relay/batch_size: 11 is more than half of max_in_flight_events (20); there must be room for two "
       "batches, one to read and one to send"},
      {WithRelay(R"("reserve_duration": "2s", "poll_interval": "1500ms")"),
       "relay.json:1: /relay/poll_interval: \"1500ms\" is more than half of reserve_duration (\"2s\"); an idle relay "
       "would lose its reservation between two polls"},
      {WithRelay(R"("retry_backoff": "10m")"),
       "relay.json:1: /relay/retry_backoff: \"10m\" is more than max_retry_backoff (\"5m\"), up to which it grows"},
      {WithRelay(R"("topics": {"topic": "a"})"),
       "relay.json:1: /relay/topics: an object is not valid; expected a list [ ... ] of at most 1000 objects"},
      {WithRelay(R"("topics": [{"topic": "a"}, 1])"),
       "relay.json:1: /relay/topics/1: 1 is not valid; expected an object { ... }"},
      {WithRelay(R"("topics": [{"max_attempts": 2}])"),
       "relay.json:1: /relay/topics/0/topic: missing; expected the name of a topic (letters, digits, . _ -), in "
       "which * matches any characters and ? matches one"},
      {WithRelay(R"("topics": [{"topic": "audit.+"}])"),
       "relay.json:1: /relay/topics/0/topic: \"audit.+\" is not valid; expected the name of a topic (letters, digits, "
       ". "
       "_ -), in which * matches any characters and ? matches one"},
      {WithRelay(R"("topics": [{"topic": "a", "max_atempts": 2}])"),
       "relay.json:1: /relay/topics/0/max_atempts: unknown key; did you mean \"max_attempts\"?"},
      {WithRelay(R"("topics": [{"topic": "a", "retry_backoff": "10m"}])"),
       "relay.json:1: /relay/topics/0/retry_backoff: \"10m\" is more than max_retry_backoff (\"5m\"), up to which it "
       "grows"},
      {WithRelay(R"("id": "${env:OUTBOX_TEST_NOT_SET}")"),
       "relay.json:1: /relay/id: the environment variable OUTBOX_TEST_NOT_SET is not set; set it for the relay"},
      {WithRelay(R"("id": "${file:/nowhere/at/all}")"),
       "relay.json:1: /relay/id: cannot read the file /nowhere/at/all: No such file or directory"},
      {WithRelay(R"("id": "${HOME}")"),
       "relay.json:1: /relay/id: ${HOME} is not a reference; expected ${env:NAME} or ${file:PATH}, or $${ for a "
       "literal "
       "${"},
      {WithKafka(R"("linger": 1)"),
       "relay.json:1: /publisher/kafka/linger: not a librdkafka property that the relay passes on; did you mean "
       "\"linger.ms\"?"},
      {WithKafka(R"("linger.ms": [1])"),
       "relay.json:1: /publisher/kafka/linger.ms: a list is not valid; expected a string, a number, true or false"},
      {WithKafka(R"("compression.type": "lz5")"),
       "relay.json:1: /publisher/kafka/compression.type: Invalid value \"lz5\" for configuration property "
       "\"compression.codec\""},
      {WithKafka(R"("acks": 1)"),
       "relay.json:1: /publisher/kafka/acks: refused: the relay sets it: order and deduplication at the broker depend "
       "on it"},
  };
  for (const Broken& broken : table) {
    INFO(broken.text);
    CHECK(ProblemsOf(broken.text) == broken.problem);
  }
}

TEST_CASE("all mistakes are reported at once, in the order of the file", "[b14]") {
  CHECK(
      ProblemsOf("{ \"log\": {\n \"level\": 1,\n \"colour\": 2 },\n \"storage\": { \"plugin\": 7 },\n \"publisher\": "
                 "{ \"type\": \"stdout\" } }") ==
      "relay.json:2: /log/level: 1 is not valid; expected one of \"trace\", \"debug\", \"info\", \"warn\", \"error\", "
      "\"off\"\n"
      "relay.json:3: /log/colour: unknown key; valid here: level, format\n"
      "relay.json:4: /storage/plugin: 7 is not valid; expected a string in quotes");
}

TEST_CASE("an address to listen at is a numeric address of this machine with a port") {
  const auto [section, key] = GENERATE(std::pair("http", "listen"), std::pair("relay", "hints"));
  const std::string in = std::string(", \"") + section + "\": { \"" + key + "\": \"",
                    expected = std::string("relay.json:1: /") + section + "/" + key + ": \"";
  const auto with = [&](const std::string& address) {
    return std::string("{ ") + kStorage + ", " + kPublisher + in + address + "\" } }";
  };
  for (const auto* good : {"", "127.0.0.1:0", "0.0.0.0:65535", "[::]:9464"}) {
    INFO(good);
    CHECK(ProblemsOf(with(good)) == "no problem");
  }
  // The HTTP library that listens at the address accepts some invalid ports, such as "9464r", "80,443s" and "+80", and
  // gives them a meaning of its own.
  for (const auto* bad : {"9464", ":9464", "localhost:9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                          "127.0.0.1:-1", "127.0.0.1:+80", "127.0.0.1:80r", "127.0.0.1:80,127.0.0.1:81",
                          "127.0.0.1:80 ", "::1:80", "[::1]", "[127.0.0.1]:80", "x127.0.0.1:80"}) {
    INFO(bad);
    CHECK(ProblemsOf(with(bad)).find(expected + bad + "\" is not valid; expected a numeric address") == 0);
  }
}

TEST_CASE("brokers are a list of names or addresses with ports") {
  const auto with = [&](const std::string& servers, const std::string& more = "") {
    return std::string("{ ") + kStorage + R"(, "publisher": { "kafka": { "bootstrap.servers": ")" + servers + "\"" +
           more + " } } }";
  };
  for (const auto* good : {"kafka", "kafka:1", "kafka-1.example:65535", "127.0.0.1:9092", "[::1]:9092",
                           "[fe80::1%eth0]", "::1", "a:1,b:2", "a:1, b:2,", "PLAINTEXT://a:1,plaintext://[::1]:2/"}) {
    INFO(good);
    CHECK(ProblemsOf(with(good)) == "no problem");
  }
  CHECK(ProblemsOf(with("Sasl_SSL://a:1", R"(, "security.protocol": "SASL_SSL")")) == "no problem");
  const std::string place = "relay.json:1: /publisher/kafka/bootstrap.servers: ";
  CHECK(ProblemsOf(with("a:1,127.0.0.1:99999")) ==
        place +
            "\"127.0.0.1:99999\" is not valid; expected host:port, or several separated by commas, such as "
            "\"kafka1:9092,kafka2:9092\" or \"[::1]:9092\", with a port from 1 to 65535");
  for (const auto* bad : {"a:0", "a:-1", "a:+1", "a:", ":9092", "a:1b", "a:1 b:2", "a;b", "[::1", "[::1]:0", "[x]:1",
                          "u@a:1", "a:1:2", "a/b:1", "PLAINTEXT://", "${env:HOME}"}) {
    INFO(bad);
    CHECK(ProblemsOf(with(bad)).find("is not valid; expected host:port") != std::string::npos);
  }
  CHECK(ProblemsOf(with("${env:HOME}")).find(place + "a part of the value is") == 0);
  CHECK(ProblemsOf(with(",, ,")).find(place + "names no broker; expected host:port") == 0);
  CHECK(ProblemsOf(with("http://127.0.0.1:1")).find(place + "\"http://127.0.0.1:1\" begins with a protocol that") == 0);
  CHECK(ProblemsOf(with("ssl://a:1")).find("security.protocol, which is \"plaintext\"") != std::string::npos);
}

TEST_CASE("nesting is limited") {
  const std::string deep = "{\"storage\":{\"options\":" + std::string(100'000, '[');
  CHECK(ProblemsOf(deep).find("nested deeper than 32 levels") != std::string::npos);
}

TEST_CASE("librdkafka properties that run code or switch off checks are refused with the reason", "[b67][b69][b75]") {
  const auto problem = [](const char* name, const char* value) {
    return kafka::GetPropertyPolicy().Problem(name, value, /*show_value=*/true);
  };
  for (const auto* name : {"plugin.library.paths",
                           "ssl.engine.location",
                           "ssl.providers",
                           "sasl.kerberos.kinit.cmd",
                           "enable.idempotence",
                           "enable.gapless.guarantee",
                           "acks",
                           "request.required.acks",
                           "message.timeout.ms",
                           "delivery.timeout.ms",
                           "max.in.flight",
                           "max.in.flight.requests.per.connection",
                           "retries",
                           "message.send.max.retries",
                           "partitioner",
                           "transactional.id",
                           "dr_cb",
                           "dr_msg_cb",
                           "log_cb",
                           "opaque",
                           "queue.buffering.max.messages"}) {
    INFO(name);
    CHECK(problem(name, "1").find("refused: ") == 0);
  }
  CHECK(!problem("enable.ssl.certificate.verification", "false").empty());
  CHECK(problem("enable.ssl.certificate.verification", "true").empty());
  CHECK(!problem("ssl.endpoint.identification.algorithm", "none").empty());
  CHECK(!problem("enable.sasl.oauthbearer.unsecure.jwt", "true").empty());
  CHECK(!problem("debug", "broker,security").empty());
  CHECK(!problem("debug", "all").empty());
  for (const auto* other_case : {"Security", "ALL", "broker, Security", "+security"}) {
    INFO(other_case);
    CHECK(problem("debug", other_case).find("write credentials to the log") != std::string::npos);
  }
  CHECK(!problem("ssl.endpoint.identification.algorithm", " None").empty());
  CHECK(problem("ssl.endpoint.identification.algorithm", "HTTPS").empty());
  CHECK(!problem("enable.ssl.certificate.verification", "False").empty());
  CHECK(!problem("enable.sasl.oauthbearer.unsecure.jwt", "T").empty());
  CHECK(problem("debug", "broker").empty());
  CHECK(problem("sasl.password", "x").empty());
}

TEST_CASE("every allowed property that holds a secret is marked as one") {
  for (const std::string& name : kafka::AllowedProperties()) {
    INFO(name);
    for (const auto* word : {"password", ".secret", ".pem", "jaas", "sasl.username"}) {
      if (name.find(word) != std::string::npos) CHECK(kafka::GetPropertyPolicy().IsSecret(name));
    }
  }
}

}  // namespace
}  // namespace outbox::config
