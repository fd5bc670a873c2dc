// Measures what it costs to make records from rows: the processor time for each event with a topic template and two
// headers, and for each byte of a payload that is written as compact JSON. Needs no server.
//
//   bench-shaping [RUNS]
//
// Prints one JSON object: for each case the fastest, the median and the slowest run, in nanoseconds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "record/shaper.hpp"
#include "tests/unit/prepared_batch.hpp"

namespace {

using namespace outbox;

constexpr std::size_t kRows = 2'000, kBatches = 100;

struct Case {
  const char* name;
  config::ValueEncoding value;
  std::size_t payload_bytes;
  // True if the result is the time for each byte of the payload, and not for each event.
  bool by_byte;
};

// Returns JSON of about `bytes` bytes as PostgreSQL writes jsonb, with a blank after each colon and comma.
std::string Payload(std::size_t bytes) {
  std::string json =
      R"({"id": 4711, "open": true, "note": null, "customer": {"name": "Grace Hopper", "since": "2019-07-04"}, "lines": [)";
  const std::string line = R"({"sku": "A-1009", "count": 3, "price": 19.95, "text": "a small box of nails"})";
  json += line;
  while (json.size() + line.size() + 4 < bytes) json += ", " + line;
  return json + "]}";
}

double ProcessorNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double Measure(const Case& one) {
  const std::vector<Column> columns = {
      {"id", "uuid", OUTBOX_COLUMN_OTHER, OUTBOX_ROLE_ID, false},
      {"aggregateid", "character varying(255)", OUTBOX_COLUMN_TEXT, OUTBOX_ROLE_KEY, false},
      {"payload", "jsonb", OUTBOX_COLUMN_JSON, OUTBOX_ROLE_PAYLOAD, true},
      {"aggregatetype", "character varying(255)", OUTBOX_COLUMN_TEXT, OUTBOX_ROLE_NONE, false},
      {"type", "character varying(255)", OUTBOX_COLUMN_TEXT, OUTBOX_ROLE_NONE, false},
  };
  config::Record record;
  record.like = "debezium";
  record.topic = "outbox.event.{aggregatetype}";
  record.headers = std::vector<config::NamedText>{{"id", "{id}"}, {"eventType", "{type}"}};
  record.value = one.value;
  std::vector<record::Problem> problems;
  const record::Shaper shaper(record::Compile(record, columns, problems), publisher::HeaderValues::kAsText);
  if (!problems.empty()) std::abort();

  const std::string payload = Payload(one.payload_bytes);
  publisher::PreparedBatch batch = test::MakeBatch(std::vector<test::Row>(kRows, test::Row{.payload = payload}));
  const outbox_bytes values[] = {Raw("0d5f3c52-9a0e-4c3b-8f57-3f1f0f6d0c11"),
                                 Raw("customer-4711"),
                                 {nullptr, 0},
                                 Raw("order"),
                                 Raw("OrderPlaced")};
  for (std::size_t i = 0; i < kRows; ++i) {
    auto& event = const_cast<outbox_event&>(batch.batch[i]);
    event.columns = values;
    event.column_count = std::size(values);
  }
  const double began = ProcessorNanoseconds();
  for (std::size_t i = 0; i < kBatches; ++i) {
    // In the relay, each batch starts without memory for its records.
    batch.shaped_bytes = {};
    batch.packed_headers = {};
    shaper.Shape(batch);
  }
  const double each = (ProcessorNanoseconds() - began) / static_cast<double>(kRows * kBatches);
  return one.by_byte ? each / static_cast<double>(payload.size()) : each;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = std::max(1, argc > 1 ? std::atoi(argv[1]) : 9);
  using config::ValueEncoding;
  constexpr Case kCases[] = {
      {"event, headers and a template", ValueEncoding::kText, 200, false},
      {"byte, json, 200 bytes", ValueEncoding::kJson, 200, true},
      {"byte, json, 4 KiB", ValueEncoding::kJson, 4096, true},
      {"byte, json-string, 4 KiB", ValueEncoding::kJsonString, 4096, true},
      {"byte, json-debezium, 4 KiB", ValueEncoding::kJsonDebezium, 4096, true},
  };
  std::printf("{");
  for (const Case& one : kCases) {
    std::vector<double> results;
    for (int i = 0; i < runs; ++i) results.push_back(Measure(one));
    std::sort(results.begin(), results.end());
    std::printf("%s\n  \"ns per %s\": {\"fastest\": %.3g, \"median\": %.3g, \"slowest\": %.3g}",
                &one == kCases ? "" : ",", one.name, results.front(), results[results.size() / 2], results.back());
  }
  std::printf("\n}\n");
}
