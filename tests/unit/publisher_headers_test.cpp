#include <string>
#include <vector>

#include "outbox/base64.hpp"
#include "publisher/headers.hpp"
#include "tests/catch.hpp"

using namespace outbox;
using namespace outbox::publisher;
using namespace std::string_literals;

namespace {

using Pairs = std::vector<std::pair<std::string, std::optional<std::string>>>;

Pairs Unpack(std::string_view packed) {
  Pairs pairs;
  HeaderReader reader(packed);
  for (Header h; reader.Next(h);) {
    pairs.emplace_back(h.name, h.value ? std::optional<std::string>(*h.value) : std::nullopt);
  }
  CHECK(pairs.size() == reader.count());
  return pairs;
}

std::string WhyNot(std::string_view json, HeaderValues values = HeaderValues::kAsText) {
  std::string packed = "before";
  const Status status = PackHeaders(json, packed, values);
  CHECK(status.code() == OUTBOX_BAD_DATA);
  CHECK(packed == "before");
  return status.text();
}

}  // namespace

TEST_CASE("headers keep order, bytes, and the difference between null and empty", "[b82]") {
  std::string packed = "before";
  REQUIRE(PackHeaders(R"({"b": "1", "a": "", "n": null, "nul": "x\u0000y", "é": "\ud83d\ude00",
                          "raw": {"base64": "AP/+"}, "none": {"base64": ""}})",
                      packed)
              .ok());
  CHECK(Unpack(std::string_view(packed).substr(6)) == Pairs{{"b", "1"},
                                                            {"a", ""},
                                                            {"n", std::nullopt},
                                                            {"nul", "x\0y"s},
                                                            {"é", "\xf0\x9f\x98\x80"},
                                                            {"raw", "\0\xff\xfe"s},
                                                            {"none", ""}});
}

TEST_CASE("numbers and Booleans become their JSON text, unless strict headers are required", "[b83]") {
  for (const char* text :
       {"0", "1", "-7", "9223372036854775808", "18446744073709551616", "1.50", "-0.0", "1E+2", "true", "false"}) {
    const std::string json = std::string("{\"h\": ") + text + ", \"n\": null}";
    std::string packed;
    REQUIRE(PackHeaders(json, packed).ok());
    CHECK(Unpack(packed) == Pairs{{"h", text}, {"n", std::nullopt}});
    CHECK(WhyNot(json, HeaderValues::kStrict) ==
          R"(headers: the value of the header "h" is not a string, null or {"base64": "…"})");
  }
}

TEST_CASE("empty headers take no room") {
  for (const char* json : {"{}", "{ }", "\n{\t}\n"}) {
    std::string packed;
    REQUIRE(PackHeaders(json, packed).ok());
    CHECK(packed.empty());
  }
}

TEST_CASE("headers that are not an object of strings are refused with a reason and without their values", "[b83]") {
  for (const char* json : {"[]", "null", "3", "\"secret\"", "true", "[{\"a\":\"b\"}]"}) {
    CHECK(WhyNot(json) == R"(headers: not a JSON object such as {"name": "value"})");
  }
  for (const char* json :
       {R"({"h": ["secret"]})", R"({"h": [1]})", R"({"h": {}})", R"({"h": {"base64": 1}})", R"({"h": {"x": true}})",
        R"({"h": {"x": "secret"}})", R"({"h": {"base64": null}})", R"({"h": {"base64": {}}})",
        R"({"h": {"base64": "AA==", "base64": "AA=="}})", R"({"h": {"base64": "AA==", "x": "y"}})"}) {
    CHECK(WhyNot(json) ==
          R"(headers: the value of the header "h" is not a string, a number, true, false, null or {"base64": "…"})");
    CHECK(WhyNot(json, HeaderValues::kStrict) ==
          R"(headers: the value of the header "h" is not a string, null or {"base64": "…"})");
  }
  for (const char* json : {"", "{", R"({"h": "secret)", R"({"h": "a"} x)", "{\"h\": \"\xff\"}", R"({"h": "\ud800"})"}) {
    const std::string why = WhyNot(json);
    CHECK(why.find("not valid JSON in UTF-8 at byte") != std::string::npos);
    CHECK(why.find("secret") == std::string::npos);
  }
  for (const char* text : {"secret!", "AA", "AA=", "AB==", "AAB=", "=AAA", "AA==AA==", "AA ="}) {
    CHECK(WhyNot(R"({"h": {"base64": ")"s + text + "\"}}") ==
          R"(headers: the value of the header "h" is not base64 with padding)");
  }
}

TEST_CASE("header names that a consumer would misread are refused", "[b83]") {
  CHECK(WhyNot(R"({"a": "1", "b": "2", "a": "3"})") == R"(headers: duplicate header "a")");
  CHECK(WhyNot(R"({"": "1"})") == "headers: a header has no name");
  CHECK(WhyNot(R"({"a\u0000b": "1"})") == "headers: a header's name contains a control character");
  CHECK(WhyNot(R"({"event_id": "1"})").find("written by the relay") != std::string::npos);
  CHECK(WhyNot(R"({"event_type": "1"})").find("written by the relay") != std::string::npos);
}

TEST_CASE("one row cannot cost more than the limits", "[b83]") {
  const auto with = [](std::size_t count) {
    std::string json = "{";
    for (std::size_t i = 0; i < count; ++i) json += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
    return json + "}";
  };
  std::string packed;
  CHECK(PackHeaders(with(kMaxHeaders), packed).ok());
  CHECK(Unpack(packed).size() == kMaxHeaders);
  CHECK(WhyNot(with(kMaxHeaders + 1)) == "headers: more than 256 headers");
  CHECK(WhyNot("{\"" + std::string(kMaxHeaderName + 1, 'n') + "\": \"\"}").find("longer than 255") !=
        std::string::npos);
  CHECK(WhyNot("{\"n\": \"" + std::string(kMaxHeadersText, 'v') + "\"}").find("the limit is") != std::string::npos);
  CHECK(WhyNot("{\"h\":" + std::string(100'000, '[')).find("is not a string") != std::string::npos);
}

TEST_CASE("base64 is decoded to what was encoded") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    std::string text;
    AppendBase64(bytes, text);
    CHECK(DecodeBase64(text) == bytes);
    bytes += static_cast<char>(i * 7);
  }
}
