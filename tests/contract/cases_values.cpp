// Tests that an event is returned with the values with which it was emitted.
#include <chrono>
#include <nlohmann/json.hpp>

#include "rig.hpp"

namespace outbox::contract {
namespace {

using namespace std::string_literals;

std::string Show(const Text& text) {
  if (!text) return "absent";
  return nlohmann::json(*text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

Row RoundTrip(Rig& rig, Relay& relay, const Note& note) {
  rig.Emit({note});
  const auto rows = relay.Await(1);
  relay.Confirm(rows);
  return rows[0];
}

void ExpectSame(const char* field, const Text& in, const Text& out) {
  Expect(in == out, "{}: {} came back as {}", field, Show(in).substr(0, 200), Show(out).substr(0, 200));
}

void BytesAreBytes(const Subject& subject) {
  Rig rig(subject);
  std::string every(256, '\0');
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = static_cast<char>(i);
  const std::vector<Note> notes{{"k", every}, {"k", "\0"s}, {"k", "\xFF\xFE"s}, {"k", "a\0b"s}};

  Ok(rig.session().BeginEmit(Within(Millis(10'000))));
  const Status inserted = rig.Insert(rig.session(), notes);
  Ok(rig.session().EndEmit(inserted.ok(), Within(Millis(10'000))));
  if (inserted.code() == OUTBOX_BAD_DATA) throw Skipped("the payload column holds no bytes: " + inserted.text());
  Ok(inserted);
  Relay relay(rig);
  const auto rows = relay.Await(notes.size());
  for (std::size_t i = 0; i < notes.size(); ++i) ExpectSame("payload", notes[i].payload, rows[i].payload);
}

void TextIsKept(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  for (const std::string& text :
       {"{\"note\":\"a\\nb\"}"s, "a\nb\tc\\d'e\"f"s, "заказ № 7"s, "日本語 😀"s, " "s, "null"s})
    ExpectSame("payload", text, RoundTrip(rig, relay, {"k", text}).payload);
  const Row row = RoundTrip(rig, relay, {"k", "{}", {}, {}, "order.created", "sales.orders"});
  ExpectSame("event_type", "order.created", row.event_type);
  ExpectSame("topic", "sales.orders", row.topic);
}

void KeysAreKept(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  for (const Text& key :
       {Text(), Text(""), Text(" "), Text("ключ"), Text("K"), Text("k"), Text("k "), Text(std::string(200, 'x'))})
    ExpectSame("aggregate_id", key, RoundTrip(rig, relay, {key}).key);
}

void KeysDifferByEveryByte(const Subject& subject) {
  Rig rig(subject);
  rig.Need(OUTBOX_CAN_ORDER_KEYS);
  rig.Emit({{"k"}, {"K"}, {"k "}, {""}, {}});
  Relay relay(rig);
  relay.Fail({relay.Await(5)[0]}, OUTBOX_BLOCK);
  relay.Forget();
  relay.Reconnect();
  const auto rows = relay.Await(4);
  Expect(Numbers(rows) == "2 3 4 5", "with key 'k' blocked '{}' was returned, expected: 2 3 4 5", Numbers(rows));
}

void AbsentIsNotEmpty(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  for (const Text& value : {Text(), Text("")}) {
    ExpectSame("aggregate_id", value, RoundTrip(rig, relay, {value}).key);
    ExpectSame("payload", value, RoundTrip(rig, relay, {"k", value}).payload);
  }
}

void HeadersAreKept(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  for (const std::string& json : {R"({})"s, R"({"traceparent":"00-1-2-01","empty":"","none":null})"s,
                                  R"({"ключ":"значение \" \\ \n","bytes":{"base64":"AP8="}})"s}) {
    const Row row = RoundTrip(rig, relay, {"k", "{}", json});
    const auto back = nlohmann::json::parse(row.headers.value_or("{}"), nullptr, false);
    Expect(back == nlohmann::json::parse(json), "headers {} came back as {}", json, Show(row.headers));
  }
  const Row row = RoundTrip(rig, relay, {"k", "{}", {}});
  Expect(!row.headers || row.headers == "{}", "absent headers came back as {}", Show(row.headers));
}

void LargePayloadComesWhole(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  std::string payload(std::size_t{3} << 20, ' ');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>('a' + i * 7 % 26);
  const Row row = RoundTrip(rig, relay, {"k", payload});
  Expect(row.payload == payload, "3 MiB came back as {} bytes that differ", row.payload.value_or("").size());
}

void AbsentEventIdGetsOneOfItsOwn(const Subject& subject) {
  Rig rig(subject);
  outbox_event event{};
  event.event_type = event.topic = Raw("t");
  const std::vector<outbox_event> events(2, event);
  Ok(rig.session().BeginEmit(Within(Millis(10'000))));
  Ok(rig.session().Insert(events, Within(Millis(10'000))));
  Ok(rig.session().EndEmit(true, Within(Millis(10'000))));
  const auto rows = Relay(rig).Await(2);
  Expect(!rows[0].event_id.empty() && !rows[1].event_id.empty(), "an event_id is empty");
  Expect(rows[0].event_id != rows[1].event_id, "two events got the same event_id {}", rows[0].event_id);
}

void CreatedIsTheTimeOfInsertion(const Subject& subject) {
  Rig rig(subject);
  Relay relay(rig);
  const Row row = RoundTrip(rig, relay, {});
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const std::int64_t minutes = 5 * 60 * std::int64_t{1'000'000};
  Expect(row.created_us == 0 || (row.created_us > now - minutes && row.created_us < now + minutes),
         "created_us is {}, now is {}", row.created_us, now);
}

void NullKeysDoNotWait(const Subject& subject) {
  Rig rig(subject);
  rig.Emit(200, std::nullopt);
  Relay relay(rig);
  const auto rows = relay.Await(200);
  relay.Fail({rows[0]}, OUTBOX_BLOCK);
  relay.Fail({rows[1]}, OUTBOX_RETRY);
  relay.Forget();
  relay.Reconnect();
  relay.Await(198);
}

}  // namespace

std::vector<Case> ValueCases() {
  return {
      {"values", "bytes-are-bytes", "A payload may hold any bytes, including NUL and invalid UTF-8.", BytesAreBytes},
      {"values", "text-is-kept", "Text is returned unchanged, whatever it holds.", TextIsKept},
      {"values", "keys-are-kept",
       "Keys are returned unchanged, including absent, empty and long ones and those with spaces.", KeysAreKept},
      {"values", "keys-differ-by-every-byte",
       "Keys that differ in case or spaces, and the empty key, are different keys.", KeysDifferByEveryByte},
      {"values", "absent-is-not-empty", "An absent key is not the key \"\", and an absent payload is not an empty one.",
       AbsentIsNotEmpty},
      {"values", "headers-are-kept", "Headers are returned as the same JSON object.", HeadersAreKept},
      {"values", "large-payload-comes-whole", "A payload of 3 MiB is returned unchanged.", LargePayloadComesWhole},
      {"values", "absent-event-id-gets-one-of-its-own", "An event without an event_id gets one of its own.",
       AbsentEventIdGetsOneOfItsOwn},
      {"values", "created-is-the-time-of-insertion", "created_us is the time of insertion in UTC microseconds, or 0.",
       CreatedIsTheTimeOfInsertion},
      {"values", "null-keys-do-not-wait", "Events without a key are all returned and never wait for each other.",
       NullKeysDoNotWait},
  };
}

}  // namespace outbox::contract
