// Tests that payloads are expanded as Debezium expands them: corner cases of the rules, and hostile payloads.
// tests/golden compares whole records with those that Debezium made.
#include <string>

#include "config/pattern.hpp"
#include "record/binlog_json.hpp"
#include "record/debezium_json.hpp"
#include "record/java_number.hpp"
#include "tests/catch.hpp"

namespace outbox::record {
namespace {

std::string Expanded(std::string_view json, const Expansion& how = {}) {
  std::string to;
  AppendAsDebezium(json, how, to);
  return to;
}

TEST_CASE("members that are null and empty lists are left out, at every level") {
  CHECK(Expanded(R"({"a":null,"b":[],"c":{"d":null,"e":[]},"f":1})") == R"({"c":{},"f":1})");
  CHECK(Expanded(R"({"a":null,"b":[null]})", {.keep_nulls = true}) == R"({"a":null,"b":[null]})");
}

TEST_CASE("of two members with one name, the last value stays at the first one's place") {
  CHECK(Expanded(R"({"a":1,"b":2,"\u0061":"x"})") == R"({"a":"x","b":2})");
  std::string many = "{", expected = "{";
  for (int i = 0; i < 100; ++i) many += "\"m" + std::to_string(i) + "\":0,";
  for (int i = 0; i < 100; ++i) {
    many += (i > 0 ? ",\"m" : "\"m") + std::to_string(99 - i) + "\":1";
    expected += (i > 0 ? ",\"m" : "\"m") + std::to_string(i) + "\":1";
  }
  CHECK(Expanded(many + "}") == expected + "}");
}

TEST_CASE("a list of mixed types makes the whole payload a string, whatever else is wrong with it") {
  CHECK(Expanded(R"({"a":[1,"x"]})") == R"("{\"a\":[1,\"x\"]}")");
  // Debezium stops at a payload that contains only the list "o".
  CHECK(Expanded(R"({"o":[{"a":1},{"a":"x"}],"l":[true,1]})").starts_with('"'));
  CHECK(Expanded(R"({"l":[[],[1]]})").starts_with('"'));
}

TEST_CASE("nothing is lost in payloads at which Debezium would stop or lose members") {
  for (const char* json :
       {R"({"n":12345678901234567890})", R"([1,2])", R"({"o":[[1],["x"]]})", R"({"o":[[{"a":1}],[{"b":2}]]})",
        R"({"o":[{"a":{"b":1}},{"a":{"c":2}}]})", R"({"o":[{"a":1},{"b":2},null]})", R"({"s":"\ud800"})"})
    CHECK(Expanded(json) == json);
  CHECK(Expanded(R"([ 1, 2 ] and more)") == "[1,2]");
}

TEST_CASE("objects of several shapes in a list have the members of all of them") {
  CHECK(Expanded(R"({"o":[{"a":1},{"a":2,"b":3}]})") == R"({"o":[{"a":1,"b":null},{"a":2,"b":3}]})");
  CHECK(Expanded(R"({"o":[{"b":1},{"a":2,"b":3}]})") == R"({"o":[{"b":1,"a":null},{"b":3,"a":2}]})");
}

TEST_CASE("the schema of a document is the one that JsonConverter writes") {
  CHECK(
      Expanded(R"({"a":{"b":[1.5]},"o":[{"x":1},{"y":true}]})", {.with_schema = true}) ==
      R"({"schema":{"type":"struct","fields":[{"type":"struct","fields":[{"type":"array","items":{"type":"double","optional":true},)"
      R"("optional":true,"field":"b"}],"optional":true,"name":"payload.a","field":"a"},{"type":"array","items":{"type":"struct",)"
      R"("fields":[{"type":"int32","optional":true,"field":"x"},{"type":"boolean","optional":true,"field":"y"}],"optional":false,)"
      R"("name":"payload.o"},"optional":true,"field":"o"}],"optional":true,"name":"payload"},)"
      R"("payload":{"a":{"b":[1.5]},"o":[{"x":1,"y":null},{"x":null,"y":true}]}})");
  CHECK(Expanded("[1]", {.with_schema = true, .text_prefix = "<", .text_suffix = ">"}) == R"(<"[1]">)");
}

TEST_CASE("hostile payloads are processed quickly") {
  std::string deep(100'000, '[');
  CHECK(Expanded(deep) == '"' + deep + '"');
  std::string shapes = "{\"o\":[";
  for (int i = 0; i < 20'000; ++i) shapes += (i > 0 ? ",{\"m" : "{\"m") + std::to_string(i) + "\":1}";
  shapes += "]}";
  CHECK(Expanded(shapes) == shapes);
}

TEST_CASE("numbers are written as Java writes them") {
  const auto java = [](const char* number) {
    std::string to;
    AppendJavaJsonDouble(number, to);
    return to;
  };
  CHECK(java("1.10") == "1.1");
  CHECK(java("1e2") == "100.0");
  CHECK(java("12345678.5") == "1.23456785E7");
  CHECK(java("0.0001") == "1.0E-4");
  CHECK(java("-0.0") == "-0.0");
  CHECK(java("1E400") == "\"Infinity\"");
  CHECK(java("-1E400") == "\"-Infinity\"");
  CHECK(java("1E-400") == "0.0");
  CHECK(java("0.0000001e99999999999999999999") == "\"Infinity\"");
}

// Returns the contents of the matched groups, each followed by |. If the expression does not match, returns the
// reason.
std::string Matched(std::string_view regex, std::string_view text) {
  const auto pattern = config::Pattern::Parse(regex);
  if (!pattern.ok()) return pattern.status().text();
  std::vector<std::string_view> groups;
  const auto outcome = pattern->Match(text, groups);
  if (outcome == config::Pattern::Outcome::kTooLong) return "too long";
  if (outcome == config::Pattern::Outcome::kDiffers) return "no";
  std::string all;
  for (std::size_t i = 1; i < groups.size(); ++i) (all += groups[i]) += '|';
  return all;
}

TEST_CASE("JSON of MySQL is written as in its binary log") {
  const auto written = [](std::string_view json) {
    std::string to;
    AppendBinlogJson(json, to);
    return to;
  };
  CHECK(written(R"({"id": 1, "total": 39.98, "e": 100.0, "s": "1.0E7 \"x\\"})") ==
        R"({"id":1,"total":39.98,"e":100.0,"s":"1.0E7 \"x\\"})");
  CHECK(written("[1e-7, -10000000.0, 12345678.5]") ==
        "[0.0000000999999999999999954748111825886258685613938723690807819366455078125,-10000000,12345678.5]");
  CHECK(written("1e300").size() == 301);
  CHECK(written("18446744073709551615") == "18446744073709551615");
  CHECK(written("no json") == "no json");
}

TEST_CASE("regular expressions of routes match as Java's do") {
  CHECK(Matched("(.*)order(.*)", "shop.order.order.v1") == "shop.order.|.v1|");
  CHECK(Matched("([a-z]+)\\.(?<x>\\w*)", "shop.Or_1") == "shop|Or_1|");
  CHECK(Matched("(?i)ORDER", "oRdEr").empty());
  CHECK(Matched("order", "orders") == "no");
  CHECK(Matched("^a(b?)(c*)$", "acc") == "|cc|");
  CHECK(Matched("(.)(.*)", "\xc5\xbcx") == "\xc5\xbc|x|");
  CHECK(Matched(".*", "a\nb") == "no");
  CHECK(Matched("[^.]*", "a\nb").empty());
  CHECK(Matched("[^.]*", "a.b") == "no");
  CHECK(Matched(".*", "a\xe2\x80\xa8") == "no");
  CHECK(Matched("(.*)(.*)(.*)(.*)(.*)(.*)x", std::string(5000, 'a')) == "too long");
}

}  // namespace
}  // namespace outbox::record
