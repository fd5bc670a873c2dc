// Tests that docs/guide/outbox-relay.reference.jsonc, which documents every key, contains each key with its default.
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/catch.hpp"
#include "tests/unit/kafka_config.hpp"

namespace outbox::config {
namespace {

using nlohmann::json;

std::string ReadDocument(const char* name) {
  std::ifstream file(name);
  INFO("to be run in the root of the sources, as `meson test` does");
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_CASE("the reference configuration contains every key with its default") {
  setenv("PGPASSWORD", "x", 1);
  const std::string text = ReadDocument("docs/guide/outbox-relay.reference.jsonc");
  const auto reference = Parse(text, "reference");
  INFO(reference.status().text());
  REQUIRE(reference.ok());

  // The smallest valid configuration: it contains only the keys that have no default.
  json needed = json::parse(text, nullptr, true, true);
  const json needed_only = {
      {"storage", {{"plugin", needed["storage"]["plugin"]}, {"options", needed["storage"]["options"]}}},
      {"publisher", {{"kafka", needed["publisher"]["kafka"]}}}};
  const auto defaults = Parse(needed_only.dump(), "defaults");
  INFO(defaults.status().text());
  REQUIRE(defaults.ok());
  CHECK(json::parse(reference->effective_json) == json::parse(defaults->effective_json));

  const json written = json::parse(text, nullptr, true, true).flatten();
  const json known = json::parse(reference->effective_json).flatten();
  for (const auto& [pointer, value] : known.items()) {
    INFO(pointer);
    CHECK(written.contains(pointer));
  }
}

TEST_CASE("docs/guide/configuration.md lists every librdkafka property that may be set") {
  const std::string text = ReadDocument("docs/guide/configuration.md");
  for (const std::string& name : kafka::AllowedProperties()) {
    INFO(name);
    CHECK(text.find("`" + name + "`") != std::string::npos);
  }
}

}  // namespace
}  // namespace outbox::config
