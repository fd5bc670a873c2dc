#include "util/json.hpp"

#include <exception>

#include "tests/catch.hpp"

using outbox::util::Json;

TEST_CASE("Members keep their order, and a second value replaces the first in its place") {
  Json json = Json::Object({{"z", "last letter"}, {"a", nullptr}});
  json.Set("m", std::int64_t{-1}).Set("z", true);
  CHECK(json.Dump() == R"({"z":true,"a":null,"m":-1})");
  CHECK(json.size() == 3);
  CHECK(json.SetAllToNull().Dump() == R"({"z":null,"a":null,"m":null})");
}

TEST_CASE("Values have the type of JSON that they convert to") {
  Json list = Json::Array();
  list.Append(std::uint64_t{18'446'744'073'709'551'615u}).Append(std::uint32_t{7}).Append("text");
  list.Append(std::string("a\"b\n\x01")).Append(std::vector<std::string>{"x", "y"}).Append(Json());
  CHECK(list.Dump() == R"([18446744073709551615,7,"text","a\"b\n\u0001",["x","y"],null])");
  CHECK(Json::Array().Dump() == "[]");
  CHECK(Json::Object().Dump() == "{}");
}

TEST_CASE("A copy is independent of its original") {
  Json first = Json::Object({{"a", false}});
  const Json second = first;
  first.Set("a", second);
  CHECK(first.Dump() == R"({"a":{"a":false}})");
  CHECK(second.Dump() == R"({"a":false})");
}

TEST_CASE("Indented output has a line for each member") {
  CHECK(Json::Object({{"a", Json::Array()}, {"b", "c"}}).Dump(Json::NotUtf8::kThrow, 2) ==
        "{\n  \"a\": [],\n  \"b\": \"c\"\n}");
}

TEST_CASE("Text that is not UTF-8 is an error, or replaced on request") {
  const Json json("a\xff");
  CHECK_THROWS_AS(json.Dump(), std::exception);
  CHECK(json.Dump(Json::NotUtf8::kReplace) == "\"a\xEF\xBF\xBD\"");
}

TEST_CASE("Parsed JSON is printed unchanged, without blanks") {
  CHECK(Json::Parse(R"({ "b": 1, "a": [1.5, {"base64": "AA=="}] })").Dump() ==
        R"({"b":1,"a":[1.5,{"base64":"AA=="}]})");
  CHECK_THROWS_AS(Json::Parse("{"), std::exception);
}
