// Tests that an input line of `outbox-relay emit` becomes exactly the row that it describes, or is refused with a
// reason.
#include "cli/common/emit_input.hpp"

#include <string>

#include "outbox/event.hpp"
#include "tests/catch.hpp"

namespace outbox::cli {
namespace {

Bytes PayloadOf(const std::string& payload) {
  static Result<EventLine> event = Status(OUTBOX_INTERNAL, "none");
  event = ParseEventLine(R"({"topic":"t","type":"y","payload":)" + payload + "}");
  INFO(payload << ": " << event.status().text());
  REQUIRE(event.ok());
  return ToEvent(event->Raw()).payload;
}

std::string ProblemOf(const std::string& line) {
  const auto event = ParseEventLine(line);
  if (event.ok()) return "no problem";
  CHECK(event.status().code() == OUTBOX_BAD_DATA);
  return event.status().text();
}

TEST_CASE("headers are checked by the publisher's rules", "[b83]") {
  const std::string line = R"({"topic":"t","type":"y","payload":null,"headers":{"a":1.50,"b":true}})";
  CHECK(ToEvent(ParseEventLine(line)->Raw()).headers == Bytes(R"({"a":1.50,"b":true})"));
  const auto strict = ParseEventLine(line, publisher::HeaderValues::kStrict);
  REQUIRE_FALSE(strict.ok());
  CHECK(strict.status().text().find("\"a\" is not a string, null or") != std::string::npos);
}

TEST_CASE("every member is taken over, and an absent one is not an empty one") {
  const auto full = ParseEventLine(
      R"({"topic":"orders","type":"created","key":"o-1","payload":"p","headers":{"a": "1", "b": null},"event_id":"0190163D-8694-739b-aea5-966c26f8ad91"})");
  REQUIRE(full.ok());
  const Event event = ToEvent(full->Raw());
  CHECK(event.topic == "orders");
  CHECK(event.event_type == "created");
  CHECK(event.aggregate_id == Bytes("o-1"));
  CHECK(event.payload == Bytes("p"));
  CHECK(event.headers == Bytes(R"({"a":"1","b":null})"));
  CHECK(event.event_id == "0190163D-8694-739b-aea5-966c26f8ad91");

  const auto sparse = ParseEventLine(R"({"topic":"t","type":"y","payload":null})");
  REQUIRE(sparse.ok());
  CHECK(!ToEvent(sparse->Raw()).aggregate_id);
  CHECK(!ToEvent(sparse->Raw()).payload);
  CHECK(!ToEvent(sparse->Raw()).headers);
  CHECK(ToEvent(sparse->Raw()).event_id.empty());

  const auto empty = ParseEventLine(R"({"topic":"t","type":"y","key":"","payload":""})");
  REQUIRE(empty.ok());
  CHECK(ToEvent(empty->Raw()).aggregate_id == Bytes(""));
  CHECK(ToEvent(empty->Raw()).payload == Bytes(""));
}

TEST_CASE("a payload keeps its bytes, its numbers and the order of its members") {
  CHECK(PayloadOf(R"("a\nb\u0000\u0416")") == Bytes(std::string_view("a\nb\0\xd0\x96", 6)));
  CHECK(PayloadOf(R"({"base64":"AP+A"})") == Bytes(std::string_view("\0\xff\x80", 3)));
  CHECK(PayloadOf(R"({"base64":""})") == Bytes(""));
  CHECK(PayloadOf(R"({ "z": 1.10, "a": [ 12345678901234567890123, -7, 1E2, {} , [ ] ], "z": "a\"b" })") ==
        Bytes(R"({"z":1.10,"a":[12345678901234567890123,-7,1E2,{},[]],"z":"a\"b"})"));
  CHECK(PayloadOf(" [ 1 , true ]") == Bytes("[1,true]"));
  CHECK(PayloadOf("18446744073709551615") == Bytes("18446744073709551615"));
  CHECK(PayloadOf("false") == Bytes("false"));
  CHECK(PayloadOf(R"({"base64":"AP+A","other":1})") == Bytes(R"({"base64":"AP+A","other":1})"));
}

TEST_CASE("a bad line is refused with its reason and without its payload") {
  CHECK(ProblemOf("") == "invalid JSON at character 1");
  CHECK(ProblemOf(R"({"topic":"t")") == "invalid JSON at character 13");
  CHECK(ProblemOf(R"({"topic":"t","type":"y","payload":1} x)") == "invalid JSON at character 38");
  CHECK(ProblemOf("[1]") == "not a JSON object");
  CHECK(ProblemOf("7") == "not a JSON object");
  CHECK(ProblemOf(R"({"topic":"t","type":"y"})") == "\"payload\" is missing; write null for a tombstone");
  CHECK(ProblemOf(R"({"type":"y","payload":1})") == "\"topic\" is missing or empty");
  CHECK(ProblemOf(R"({"topic":"t","type":"","payload":1})") == "\"type\" is missing or empty");
  CHECK(ProblemOf(R"({"topic":1,"type":"y","payload":1})") == "\"topic\" must be a string in quotes");
  CHECK(ProblemOf(R"({"topic":"t","topic":"u","type":"y","payload":1})") == "\"topic\" is given twice");
  CHECK(ProblemOf(R"({"topic":"t","type":"y","payload":1,"kee":"k"})") ==
        "unknown member \"kee\"; expected topic, type, key, payload, headers or event_id");
  CHECK(ProblemOf(R"({"topic":"t","type":"y","payload":{"base64":"?"}})") ==
        "\"payload\": the value of \"base64\" is not valid base64");
  CHECK(ProblemOf(R"({"topic":"t","type":"y","payload":{"base64":["secret"]}})") == "no problem");
  CHECK(ProblemOf(R"({"topic":"t","type":"y","payload":1e999})") ==
        "the number before character 39 is out of range; write it as a string");
  for (const std::string id : {"", "x", "0190163d8694739baea5966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad91x",
                               "0190163d-8694-739b-aea5-966c26f8ad9g"}) {
    INFO(id);
    CHECK(ProblemOf(R"({"topic":"t","type":"y","payload":1,"event_id":")" + id + "\"}")
              .find("\"event_id\" must be a UUID") == 0);
  }
  CHECK(ProblemOf(R"({"topic":"t","type":"y","payload":1,"event_id":null})") == "no problem");
  CHECK(ProblemOf(R"({"topic":"t","type":"y","payload":1,"headers":[]})").find("\"headers\": ") == 0);
}

}  // namespace
}  // namespace outbox::cli
