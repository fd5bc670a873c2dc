// Tests how rows become records: templates, plans, values of columns and JSON.
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "config/load.hpp"
#include "config/template.hpp"
#include "publisher/headers.hpp"
#include "record/column_text.hpp"
#include "record/compact_json.hpp"
#include "record/plan.hpp"
#include "record/shaper.hpp"
#include "tests/catch.hpp"
#include "tests/unit/kafka_config.hpp"
#include "tests/unit/prepared_batch.hpp"

namespace outbox::record {
namespace {

using config::NamedText;
using config::ValueEncoding;
using publisher::PreparedBatch;

std::string TextOf(ColumnType type, Style style, std::string_view value) {
  std::string text;
  AppendText(type, style, value, text);
  return text;
}

std::string JsonOf(ColumnType type, Style style, std::string_view value) {
  std::string text;
  AppendJson(type, style, value, text);
  return text;
}

// The content of a batch: its columns, and the values and events of its rows.
struct Rows {
  std::vector<Column> columns;
  std::vector<std::vector<std::optional<std::string>>> values;  // The values of each row's columns.
  std::vector<test::Row> rows;
};

PreparedBatch Shaped(const config::Record& record, const Rows& rows, std::vector<std::vector<outbox_bytes>>& room) {
  std::vector<Problem> problems;
  Plan plan = Compile(record, rows.columns, problems);
  for (const Problem& problem : problems) UNSCOPED_INFO(problem.pointer << ": " << problem.text);
  REQUIRE(problems.empty());
  PreparedBatch batch = test::MakeBatch(rows.rows);
  room.assign(rows.values.size(), {});
  for (std::size_t i = 0; i < rows.values.size(); ++i) {
    for (const auto& value : rows.values[i]) room[i].push_back(value ? Raw(*value) : outbox_bytes{nullptr, 0});
    auto& event = const_cast<outbox_event&>(batch.batch[i]);
    event.columns = room[i].data();
    event.column_count = room[i].size();
  }
  Shaper(std::move(plan), publisher::HeaderValues::kAsText).Shape(batch);
  return batch;
}

std::vector<std::pair<std::string, std::string>> HeadersOf(const PreparedBatch& batch, std::size_t i) {
  std::vector<std::pair<std::string, std::string>> headers;
  publisher::HeaderReader reader(batch.Content(i).packed_headers);
  for (publisher::Header h; reader.Next(h);) headers.emplace_back(h.name, h.value.value_or("(null)"));
  return headers;
}

std::string ReasonOf(const PreparedBatch& batch, std::size_t i) {
  const std::int32_t refusal = batch.shaped[i].refusal;
  return refusal < 0 ? "" : batch.refusals[static_cast<std::size_t>(refusal)].reason;
}

const std::vector<Column> kOutboxEvent = {
    {"id", "uuid", OUTBOX_COLUMN_OTHER, OUTBOX_ROLE_ID, false},
    {"aggregateid", "character varying(255)", OUTBOX_COLUMN_TEXT, OUTBOX_ROLE_KEY, false},
    {"payload", "jsonb", OUTBOX_COLUMN_JSON, OUTBOX_ROLE_PAYLOAD, true},
    {"aggregatetype", "character varying(255)", OUTBOX_COLUMN_TEXT, OUTBOX_ROLE_NONE, false},
};

config::Record LikeDebezium() {
  config::Record record;
  record.like = "debezium";
  record.topic = "outbox.event.{aggregatetype}";
  record.headers = std::vector<NamedText>{{"id", "{id}"}};
  return record;
}

TEST_CASE("a template names columns in braces, and says where a brace is wrong") {
  const auto parsed = config::Template::Parse("a{{b{one}c{two words}");
  REQUIRE(parsed.ok());
  REQUIRE(parsed->pieces().size() == 3);
  CHECK(parsed->pieces()[0].literal == "a{b");
  CHECK(*parsed->pieces()[0].column == "one");
  CHECK(*parsed->pieces()[1].column == "two words");
  CHECK(config::Template::Parse("{x}")->OnlyColumn() != nullptr);
  CHECK(config::Template::Parse("{x}.")->OnlyColumn() == nullptr);
  CHECK(*config::Template::Parse("plain}")->OnlyText() == "plain}");
  CHECK(config::Template::Parse("ab{c").status().text() ==
        "the brace at character 3 is not closed; write {column}, or {{ for a literal brace");
  CHECK(config::Template::Parse("{}").status().text() ==
        "the braces at character 1 name no column; write {column}, or {{ for a literal brace");
}

TEST_CASE("a row of Debezium's table becomes Debezium's record") {
  std::vector<std::vector<outbox_bytes>> room;
  const Rows rows{kOutboxEvent,
                  {{"0001", "k1", std::nullopt, "order"},
                   {"0002", "", std::nullopt, "order"},
                   {"0003", std::nullopt, std::nullopt, std::nullopt}},
                  {{.payload = "{\"id\": 1}"}, {.payload = std::nullopt}, {}}};
  const PreparedBatch batch = Shaped(LikeDebezium(), rows, room);
  CHECK(batch.Topic(0) == "outbox.event.order");
  CHECK(batch.Content(0).event.aggregate_id == "k1");
  CHECK(batch.Content(0).event.payload == "{\"id\": 1}");
  CHECK(HeadersOf(batch, 0) == std::vector<std::pair<std::string, std::string>>{{"id", "0001"}});
  CHECK_FALSE(batch.Content(0).relay_headers);
  CHECK(batch.Topic(1) == "outbox.event.order");
  CHECK(batch.Content(1).event.aggregate_id == "");
  CHECK_FALSE(batch.Content(1).event.payload);
  CHECK(ReasonOf(batch, 2) == "bad_topic");  // The column that determines the topic is NULL.
}

TEST_CASE("keys, values and envelopes in JSON") {
  std::vector<std::vector<outbox_bytes>> room;
  Rows rows{kOutboxEvent, {{"i", "k\"1", std::nullopt, "order"}}, {{.payload = "{ \"a\" : [1, 2.50] }"}}};
  config::Record record = LikeDebezium();
  record.key = config::KeyEncoding::kJson;
  record.value = ValueEncoding::kJsonString;
  CHECK(Shaped(record, rows, room).Content(0).event.aggregate_id == R"("k\"1")");
  CHECK(Shaped(record, rows, room).Content(0).event.payload == R"("{ \"a\" : [1, 2.50] }")");
  record.value = ValueEncoding::kJson;
  CHECK(Shaped(record, rows, room).Content(0).event.payload == R"({"a":[1,2.50]})");
  record.envelope = std::vector<NamedText>{{"type", "{aggregatetype}"}, {"where", "at {id}"}, {"key", "{aggregateid}"}};
  CHECK(Shaped(record, rows, room).Content(0).event.payload ==
        R"({"payload":{"a":[1,2.50]},"type":"order","where":"at i","key":"k\"1"})");

  rows.rows[0].payload = std::nullopt;
  rows.values[0][1] = std::nullopt;
  CHECK(Shaped(record, rows, room).Content(0).event.payload ==
        R"({"payload":null,"type":"order","where":"at i","key":null})");
  record.envelope.reset();
  CHECK_FALSE(Shaped(record, rows, room).Content(0).event.payload);
  CHECK_FALSE(Shaped(record, rows, room).Content(0).event.aggregate_id);
  record.json_null = true;
  CHECK(Shaped(record, rows, room).Content(0).event.payload == "null");
  CHECK(Shaped(record, rows, room).Content(0).event.aggregate_id == "null");

  rows.rows[0].payload = " \t";
  record.empty_is_tombstone = true;
  CHECK_FALSE(Shaped(record, rows, room).Content(0).event.payload);
  record.empty_is_tombstone = false;
  CHECK(ReasonOf(Shaped(record, rows, room), 0) == "bad_json");
}

TEST_CASE("the topic by the value of a column") {
  std::vector<std::vector<outbox_bytes>> room;
  config::Record record = LikeDebezium();
  record.topic.reset();
  record.topics = {.by = "aggregatetype", .is = {{"order", "orders"}, {"", "nothing"}}, .otherwise = std::nullopt};
  const Rows rows{kOutboxEvent,
                  {{"1", "k", {}, "order"}, {"2", "k", {}, ""}, {"3", "k", {}, "else"}, {"4", "k", {}, {}}},
                  {{}, {}, {}, {}}};
  const PreparedBatch batch = Shaped(record, rows, room);
  CHECK(batch.Topic(0) == "orders");
  CHECK(batch.Topic(1) == "nothing");
  CHECK(ReasonOf(batch, 2) == "bad_topic");
  CHECK(ReasonOf(batch, 3) == "bad_topic");
  record.topics->otherwise = "rest";
  CHECK(Shaped(record, rows, room).Topic(2) == "rest");
  CHECK(Shaped(record, rows, room).Topic(3) == "rest");
}

TEST_CASE("partition and time from columns") {
  std::vector<std::vector<outbox_bytes>> room;
  std::vector<Column> columns = kOutboxEvent;
  columns.push_back({"part", "integer", OUTBOX_COLUMN_INTEGER, OUTBOX_ROLE_PARTITION});
  columns.push_back({"at", "timestamp(3)", OUTBOX_COLUMN_TIMESTAMP, OUTBOX_ROLE_NONE, true, 3});
  config::Record record = LikeDebezium();
  record.timestamp = "{at}";
  const Rows rows{columns,
                  {{"1", "k", {}, "o", "2", "1767323045678901"},
                   {"2", "k", {}, "o", {}, {}},
                   {"3", "k", {}, "o", "-1", "0"},
                   {"4", "k", {}, "o", "1", "-999"},
                   {"5", "k", {}, "o", "1", "-2000000"},
                   {"6", "k", {}, "o", "1", "infinity"}},
                  std::vector<test::Row>(6)};
  const PreparedBatch batch = Shaped(record, rows, room);
  CHECK(batch.shaped[0].partition == 2);
  CHECK(batch.Content(0).timestamp_ms == 1'767'323'045'678);
  CHECK(batch.shaped[1].partition == -1);
  CHECK(batch.Content(1).timestamp_ms == 0);
  CHECK(ReasonOf(batch, 2) == "bad_partition");
  CHECK(ReasonOf(batch, 3).empty());
  CHECK(ReasonOf(batch, 4) == "bad_timestamp");
  CHECK(batch.Content(5).timestamp_ms == 9'223'372'036'825'200);
}

TEST_CASE("without a record section a row becomes the plain record") {
  std::vector<std::vector<outbox_bytes>> room;
  const Rows rows{{}, {}, {{.headers = R"({"h": "1"})"}, {.headers = "[]"}}};
  const PreparedBatch batch = Shaped({}, rows, room);
  CHECK(batch.Topic(0) == "orders");
  CHECK(batch.Content(0).event.aggregate_id == "k");
  CHECK(batch.Content(0).event.payload == "{}");
  CHECK(HeadersOf(batch, 0) ==
        std::vector<std::pair<std::string, std::string>>{{"event_id", "id"}, {"event_type", "Placed"}, {"h", "1"}});
  CHECK(ReasonOf(batch, 1) == "bad_headers");
}

TEST_CASE("a setting that does not fit the columns is named with its location") {
  config::Record record = LikeDebezium();
  record.topic = "a b.{nowhere}";
  record.headers = std::vector<NamedText>{{"h", "{missing}"}};
  record.timestamp = "{aggregateid}";
  std::vector<Column> columns = kOutboxEvent;
  columns[1] = {"aggregateid", "bytea", OUTBOX_COLUMN_BYTES, OUTBOX_ROLE_KEY};
  columns.push_back({"part", "smallint", OUTBOX_COLUMN_INTEGER, OUTBOX_ROLE_PARTITION});
  std::vector<Problem> problems;
  (void)Compile(record, columns, problems);
  std::map<std::string, std::string> found;
  for (const Problem& problem : problems) found[problem.pointer] = problem.text;
  CHECK(found["/record/topic"] ==
        "there is no column \"nowhere\"; expected one of id, aggregateid, payload, aggregatetype, part");
  CHECK(found["/record/headers/h"].starts_with("there is no column \"missing\""));
  CHECK(found["/storage/options/columns/key"].find("is bytea") != std::string::npos);
  CHECK(found["/storage/options/columns/partition"].find("is smallint; expected int") != std::string::npos);
  CHECK(found["/record/timestamp"].find("is bytea; expected a timestamp") != std::string::npos);
  record = LikeDebezium();
  record.topic = "a b.{aggregatetype}";
  problems.clear();
  (void)Compile(record, kOutboxEvent, problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].text.starts_with("not a valid topic name"));
}

TEST_CASE("values of columns as Debezium writes them") {
  const Style d = Style::kDebezium;
  CHECK(TextOf({OUTBOX_COLUMN_TIMESTAMP, -1}, d, "1767323045678901") == "1767323045678901");
  CHECK(TextOf({OUTBOX_COLUMN_TIMESTAMP, 3}, d, "1767323045678000") == "1767323045678");
  CHECK(TextOf({OUTBOX_COLUMN_INSTANT, 6}, d, "1767323045670000") == "2026-01-02T03:04:05.670000Z");
  CHECK(TextOf({OUTBOX_COLUMN_INSTANT, 0}, d, "-1") == "1969-12-31T23:59:59Z");
  CHECK(TextOf({OUTBOX_COLUMN_DATE, -1}, d, "20455") == "20455");
  CHECK(TextOf({OUTBOX_COLUMN_DATE, -1}, Style::kPlain, "20455") == "2026-01-02");
  CHECK(TextOf({OUTBOX_COLUMN_DATE, -1}, Style::kPlain, "-719528") == "0000-01-01");
  CHECK(TextOf({OUTBOX_COLUMN_BYTES, -1}, d, "\xde\xad\xbe\xef") == "3q2+7w==");
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"0.1", "0.1"},
                                                                                 {"100", "100.0"},
                                                                                 {"1e+21", "1.0E21"},
                                                                                 {"1e-07", "1.0E-7"},
                                                                                 {"0.001", "0.001"},
                                                                                 {"9999999", "9999999.0"},
                                                                                 {"10000000", "1.0E7"},
                                                                                 {"-12.5", "-12.5"},
                                                                                 {"0", "0.0"},
                                                                                 {"-0", "-0.0"},
                                                                                 {"123456.789", "123456.789"},
                                                                                 {"NaN", "NaN"},
                                                                                 {"Infinity", "Infinity"}}) {
    CAPTURE(from);
    CHECK(TextOf({OUTBOX_COLUMN_DOUBLE, -1}, d, from) == to);
  }
  CHECK(JsonOf({OUTBOX_COLUMN_INTEGER, -1}, d, "-12") == "-12");
  CHECK(JsonOf({OUTBOX_COLUMN_INTEGER, -1}, d, "1 \"x") == R"("1 \"x")");
  CHECK(JsonOf({OUTBOX_COLUMN_DECIMAL, 2}, d, "12.50") == "\"BOI=\"");
  CHECK(JsonOf({OUTBOX_COLUMN_DECIMAL, 2}, d, "-1.28") == "\"gA==\"");
  CHECK(JsonOf({OUTBOX_COLUMN_DECIMAL, 2}, d, "1.28") == "\"AIA=\"");
  CHECK(JsonOf({OUTBOX_COLUMN_DECIMAL, 0}, d, "0") == "\"AA==\"");
  CHECK(JsonOf({OUTBOX_COLUMN_DECIMAL, 0}, d, "-256") == "\"/wA=\"");
  CHECK(JsonOf({OUTBOX_COLUMN_DECIMAL, -1}, d, "1.1") == R"({"scale":1,"value":"Cw=="})");
  CHECK(JsonOf({OUTBOX_COLUMN_TEXT, -1}, d, "a\"\\/\b\f\n\r\t\x01\x1f\x7f\xe2\x80\xa8\xf0\x9f\x98\x80") ==
        "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001F\x7f\xe2\x80\xa8\\uD83D\\uDE00\"");
}

TEST_CASE("compact JSON is the same JSON, and invalid JSON is detected") {
  std::string to = "x";
  CHECK_FALSE(AppendCompact(
      " { \"a\" : [ 1 , 2.50 , -0.1e+5 , true , false , null , { } , [ ] , \"b c\\u00e9\\n\" ] , \"a\" : \"\" } ", to));
  CHECK(to == R"(x{"a":[1,2.50,-0.1e+5,true,false,null,{},[],"b c\u00e9\n"],"a":""})");
  for (const char* bad :
       {"",    " ",   "{",       "[1,]",        "{\"a\":1,}", "{\"a\"}", "01",  "1.", "-",        "+1", "1e",
        "nul", "\"a", "\"\\x\"", "\"\\u00g0\"", "[1 2]",      "{1:2}",   "1 2", "]",  "\"a\tb\"", "[}", "tru e"}) {
    CAPTURE(bad);
    to = "x";
    CHECK(AppendCompact(bad, to).has_value());
    CHECK(to == "x");
  }
  to.clear();
  CHECK_FALSE(AppendCompact(std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']'), to));
  CHECK(AppendCompact(std::string(kMaxJsonDepth + 1, '[') + std::string(kMaxJsonDepth + 1, ']'), to));

  // JSON that was cut and changed at random must be accepted or refused exactly as another parser does.
  const std::string good = R"({"a": [1, -2.5e3, "x\u00e9\\", {"b": null}], "c": true, "d": {}})";
  std::mt19937 random(11);
  const std::string alphabet = "{}[]\":,0123456789.eE+-\\untrfalse \t\n";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (auto n = random() % 3 + 1; n > 0; --n) text[random() % text.size()] = alphabet[random() % alphabet.size()];
    if (random() % 4 == 0) text.resize(random() % text.size());
    CAPTURE(text);
    to.clear();
    const bool is_json = nlohmann::json::accept(text);
    const bool taken = !AppendCompact(text, to).has_value();
    REQUIRE(taken == is_json);
    if (taken) REQUIRE(nlohmann::json::parse(to) == nlohmann::json::parse(text));
  }
}

config::Config Loaded(const std::string& text) {
  auto config = config::Parse(text, "relay.json");
  INFO(config.status().text());
  REQUIRE(config.ok());
  return std::move(*config);
}

TEST_CASE("a profile completes the section and the plugin's options") {
  const config::Config config = Loaded(R"({"storage": {"plugin": "postgres", "options": {"table": "public.outboxevent",
      "capture": "trigger"}}, "record": {"like": "debezium", "headers": {"z": "{type}", "id": "{id}", "a": "{{x}"}},
      "publisher": {"type": "stdout"}})");
  const auto options = nlohmann::json::parse(config.storage.options);
  CHECK(options["columns"] == nlohmann::json{{"id", "id"}, {"key", "aggregateid"}, {"payload", "payload"}});
  CHECK(options["record_columns"] == nlohmann::json{"aggregatetype", "type", "id"});
  CHECK(config.record.topic == "outbox.event.{aggregatetype}");
  CHECK(config.record.headers == std::vector<NamedText>{{"z", "{type}"}, {"id", "{id}"}, {"a", "{{x}"}});

  const config::Config renamed = Loaded(R"({"storage": {"plugin": "postgres", "options": {"capture": "trigger",
      "columns": {"id": "uid", "key": "k", "payload": "p"}}}, "record": {"like": "go-package"},
      "publisher": {"type": "stdout"}})");
  CHECK(renamed.record.headers == std::vector<NamedText>{{"event_id", "{uid}"}, {"event_type", "{event_type}"}});
  CHECK(renamed.record.topic == "{event_topic}");
}

TEST_CASE("mistakes in the record section are reported with location and value") {
  const auto problems = [](const std::string& record) {
    return config::Parse(R"({"storage": {"plugin": "memory"}, "publisher": {"type": "stdout"},
"record": )" + record + "}",
                         "relay.json")
        .status()
        .text();
  };
  CHECK(problems(R"({"like": "nobody"})") ==
        "relay.json:2: /record/like: \"nobody\" is not valid; expected one of debezium, debezium-quarkus, go-package, "
        "or \"\" for none");
  CHECK(
      problems(R"({"topic": "a{b"})") ==
      "relay.json:2: /record/topic: the brace at character 2 is not closed; write {column}, or {{ for a literal brace");
  CHECK(problems(R"({"topic": {"is": {"a": 1}, "also": 1}})").find("/record/topic/by") != std::string::npos);
  CHECK(problems(R"({"topic": {"is": {"a": 1}, "also": 1}})").find("/record/topic/is/a") != std::string::npos);
  CHECK(problems(R"({"topic": {"is": {"a": 1}, "also": 1}})").find("/record/topic/also: unknown key") !=
        std::string::npos);
  CHECK(problems(R"({"headers": {"": "x"}})").find("/record/headers/: a header has no name") != std::string::npos);
  CHECK(problems(R"({"headers": ["x"]})").find("/record/headers") != std::string::npos);
  CHECK(problems(R"({"timestamp": "now"})").find("expected \"sent\", \"created_at\", or one column") !=
        std::string::npos);
  CHECK(problems(R"({"value": "xml"})").find("expected one of \"text\", \"json-string\"") != std::string::npos);
}

}  // namespace
}  // namespace outbox::record
