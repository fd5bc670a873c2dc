// Tests how single settings of connectors are translated, and that untrusted input does no harm. The tests with whole
// connectors are in tests/golden.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "import/connector.hpp"
#include "import/route.hpp"
#include "tests/catch.hpp"
#include "tests/unit/kafka_config.hpp"

namespace outbox::debezium {
namespace {

using nlohmann::json;

json Connector() {
  return {{"connector.class", "io.debezium.connector.postgresql.PostgresConnector"},
          {"database.hostname", "db"},
          {"database.dbname", "shop"},
          {"database.user", "debezium"},
          {"database.password", "s3cret'; drop"},
          {"topic.prefix", "app"},
          {"table.include.list", "public.outboxevent"},
          {"transforms", "outbox"},
          {"transforms.outbox.type", "io.debezium.transforms.outbox.EventRouter"},
          {"key.converter", "org.apache.kafka.connect.storage.StringConverter"},
          {"value.converter", "org.apache.kafka.connect.storage.StringConverter"}};
}

Translation Import(const json& connector, const std::string& worker = "") {
  return Translate(ReadConnector(connector.dump(), "c.json"), ReadWorker(worker, "w.properties"));
}

json With(const std::string& name, const json& value) {
  json connector = Connector();
  connector[name] = value;
  return connector;
}

// Translates the connector, checks that the relay's own parser accepts the resulting configuration, and returns that
// configuration.
json Configured(const json& connector, const std::string& worker = "") {
  const Translation translation = Import(connector, worker);
  for (const std::string& refusal : translation.refusals) UNSCOPED_INFO(refusal);
  REQUIRE(translation.refusals.empty());
  for (const char* variable : {"OUTBOX_DATABASE", "OUTBOX_DATABASE_PASSWORD", "OUTBOX_DATABASE_USER",
                               "OUTBOX_DATABASE_HOST", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_PASSWORD"})
    setenv(variable, "x", 1);
  const auto parsed = config::Parse(translation.configuration, "relay.json");
  INFO(parsed.status().text());
  REQUIRE(parsed.ok());
  return json::parse(translation.configuration, nullptr, true, /*ignore_comments=*/true);
}

std::string RefusalOf(const json& connector, const std::string& worker = "") {
  const Translation translation = Import(connector, worker);
  CHECK(translation.configuration.empty());
  std::string text;
  for (const std::string& refusal : translation.refusals) text += (text.empty() ? "" : "\n") + refusal;
  return text;
}

bool Says(const std::vector<std::string>& lines, std::string_view text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.find(text) != std::string::npos; });
}

TEST_CASE("a connector with EventRouter's defaults becomes a configuration without a password in it") {
  const Translation translation = Import(Connector());
  CHECK(translation.configuration.find("s3cret") == std::string::npos);
  CHECK_FALSE(Says(translation.notes, "s3cret"));
  CHECK(translation.configuration == Import(Connector()).configuration);
  const json made = Configured(Connector());
  CHECK(made["storage"]["options"]["connection"] ==
        "host=db dbname=shop user=debezium password=${env:OUTBOX_DATABASE_PASSWORD}");
  CHECK(made["storage"]["options"]["table"] == "public.outboxevent");
  CHECK(made["storage"]["options"]["columns"] == json{{"id", "id"}, {"key", "aggregateid"}, {"payload", "payload"}});
  CHECK(made["record"]["topic"] == "outbox.event.{aggregatetype}");
  CHECK(made["record"]["headers"] == json{{"id", "{id}"}});
}

TEST_CASE("Kafka Connect's answer about a connector can be imported, too") {
  const json answer = {{"name", "outbox"}, {"config", Connector()}, {"tasks", json::array()}, {"type", "source"}};
  CHECK(Configured(answer) == Configured(Connector()));
}

TEST_CASE("an unknown setting is refused, wherever it is") {
  CHECK(RefusalOf(With("transforms.outbox.table.field.event.colour", "red")).find("table.field.event.colour") !=
        std::string::npos);
  CHECK(RefusalOf(With("some.new.setting", "s3cret")) ==
        "some.new.setting: unknown setting, so it may change records; remove it if it does not");
  CHECK(RefusalOf(With("producer.override.partitioner.class", "x")).find("partitioner.class") != std::string::npos);
  CHECK(RefusalOf(With("column.mask.hash", "x")).find("columns before the router") != std::string::npos);
  json two = With("transforms", "outbox,route");
  two["transforms.route.type"] = "org.apache.kafka.connect.transforms.RegexRouter";
  CHECK(RefusalOf(two).find("transforms.route.type") != std::string::npos);
}

TEST_CASE("all refusals are reported at once") {
  json connector = With("table.include.list", "public.a,public.b");
  connector["converters"] = "x";
  connector["key.converter"] = "io.confluent.connect.avro.AvroConverter";
  const Translation translation = Import(connector);
  CHECK(translation.refusals.size() == 3);
}

TEST_CASE("a connector without converters of its own uses the worker's, with the worker's settings") {
  json connector = Connector();
  connector.erase("value.converter");
  connector["value.converter.schemas.enable"] = "false";  // Kafka Connect ignores the option without a value.converter.
  CHECK(RefusalOf(connector).find("--worker") != std::string::npos);
  const std::string worker =
      "# a worker\nbootstrap.servers = kafka:9092, \\\n   kafka2:9092\r\n"
      "value.converter: org.apache.kafka.connect.json.JsonConverter\n"
      "producer.linger.ms=5\nconfig.storage.topic=x\n";
  const json made = Configured(connector, worker);
  CHECK(made["record"]["value"] == "json-string-with-schema");
  CHECK(made["record"]["null"] == "json");
  CHECK(made["publisher"]["kafka"]["bootstrap.servers"] == "kafka:9092, kafka2:9092");
  CHECK(made["publisher"]["kafka"]["linger.ms"] == "5");
  CHECK(Configured(connector, worker + "value.converter.schemas.enable=false\n")["record"]["value"] == "json-string");
  const json as_json = {{"bootstrap.servers", "k:1"},
                        {"value.converter", "org.apache.kafka.connect.storage.StringConverter"}};
  CHECK(Configured(connector, as_json.dump())["record"]["value"] == "text");
}

TEST_CASE("columns become headers, members and the partition, in their order") {
  json connector = With("transforms.outbox.table.fields.additional.placement",
                        " type : header : eventType ,tenant:header,part:partition");
  json made = Configured(connector);
  CHECK(made["record"]["headers"].dump() == R"({"eventType":"{type}","id":"{id}","tenant":"{tenant}"})");
  CHECK(Import(connector).configuration.find("\"id\": \"{id}\",\n      \"eventType\"") != std::string::npos);
  CHECK(made["storage"]["options"]["columns"]["partition"] == "part");
  connector["transforms.outbox.table.fields.additional.placement"] = "type:header:id,x:header:id";
  made = Configured(connector);
  CHECK(made["record"]["headers"].dump() ==
        R"([{"name":"id","value":"{id}"},{"name":"id","value":"{type}"},{"name":"id","value":"{x}"}])");
  for (const char* wrong :
       {"type", "type:header:a:b", "type:nowhere", ":header", "a:partition,b:partition", "a{:header"})
    CHECK_FALSE(RefusalOf(With("transforms.outbox.table.fields.additional.placement", wrong)).empty());
}

TEST_CASE("a header that a later transform drops is not made") {
  json connector = With("transforms", "outbox,drop");
  connector["transforms.drop.type"] = "org.apache.kafka.connect.transforms.DropHeaders";
  connector["transforms.drop.headers"] = "id, other";
  // The router comes first in the chain, but which of its headers remain is known only after all transforms.
  CHECK(Configured(connector)["record"]["headers"] == json::object());
}

TEST_CASE("a route becomes a template if its expression matches everything, and a map if it matches one value") {
  const auto topic = [](const char* regex, const char* replacement) {
    const auto route = ReadRoute(regex, replacement, "t");
    return route.ok() ? route->only + route->pattern + "|" + route->topic : route.status().text();
  };
  CHECK(topic("(?<routedByValue>.*)", "outbox.event.${routedByValue}") == "|outbox.event.{t}");
  CHECK(topic("(.*)", "a.$1.b") == "|a.{t}.b");
  CHECK(topic(".*", "all$0") == "|all{t}");
  CHECK(topic("shop\\.", "x.") == "shop.|x.");
  CHECK(topic("(?<x>.*)", "{${x}") == "|{{{t}");
  CHECK(topic("(.*)", "${routedByValue}").find("group") != std::string::npos);
  CHECK(topic("(.*)", "$2").find("group") != std::string::npos);
  CHECK(topic("shop\\.(?<what>[a-z]+)", "${what}.\\$1") == "shop\\.(?<what>[a-z]+)|$1.\\$1");
  CHECK(topic("(?i)order", "x") == "(?i)order|x");
  for (const char* other : {"a|b", "(a)+", "a{2}", "a*?", "\\bx", "(?=a)b", "[a&&b]", "(", ")", "(a)\\1"})
    CHECK(topic(other, "x").find("is not supported") != std::string::npos);
  CHECK(Matches("app\\.public\\..*", "app.public.outboxevent") == true);
  CHECK(Matches("app\\.public\\.other", "app.public.outboxevent") == false);
  CHECK(Matches("(a|b)", "a") == std::nullopt);
}

TEST_CASE("a file that is not a connector is refused with the location") {
  const auto problem = [](std::string_view text) {
    const Settings settings = ReadConnector(text, "c.json");
    return settings.problems.empty() ? "" : settings.problems.front();
  };
  CHECK(problem("").find("c.json:1:1: the file is empty") == 0);
  CHECK(problem("[]").find("expected a connector") != std::string::npos);
  CHECK(problem(R"({"a": 1, "a": 2})").find("duplicate key") != std::string::npos);
  CHECK(problem(R"({"a": {"b": 1}})").find("/a: is not valid; expected a string, a number, true or false") !=
        std::string::npos);
  CHECK(problem(R"({"a": null})").find("/a") != std::string::npos);
  CHECK(problem("{\"a\": \"\xff\"}").find("not UTF-8") != std::string::npos);
  CHECK(problem("{\"a\": " + std::string(100'000, '[')).find("nested deeper") != std::string::npos);
  CHECK(problem(R"({"config": {"a": "b"}, "other": 1})").find("/other") != std::string::npos);
  CHECK(ReadWorker("a=\\u12", "w").problems.size() == 1);
  CHECK(ReadWorker("a=\\u00e9\\n", "w").values.at("a") == "\xc3\xa9\n");
}

TEST_CASE("values of a connector cannot become syntax of the configuration") {
  json connector = With("database.hostname", "db' password='x");
  connector["database.user"] = "${file:/run/secrets:user}";
  const json made = Configured(connector);
  const std::string connection = made["storage"]["options"]["connection"];
  CHECK(connection.find(R"(host='db\' password=\'x')") == 0);
  CHECK(connection.find("user=${env:OUTBOX_DATABASE_USER}") != std::string::npos);
}

}  // namespace
}  // namespace outbox::debezium
