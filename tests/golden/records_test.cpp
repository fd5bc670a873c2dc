// Replays recorded runs of Debezium: imports the connector, makes records from the rows of its table, and compares
// them byte for byte with the records that Debezium made. tests/golden/outcomes.txt gives the expected outcome of each
// run whose records differ.
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "import/connector.hpp"
#include "record/shaper.hpp"
#include "tests/catch.hpp"
#include "tests/golden/run.hpp"
#include "tests/unit/kafka_config.hpp"

namespace outbox::golden {
namespace {

using nlohmann::json;

// The outcome of a replayed run. `word` is "same"; "refused by import" or "refused by check"; "refused" if an event is
// refused and Debezium stopped, too; "sent" if only Debezium stopped; or "different", followed by the number of
// differing records if there are any. `about` explains the outcome.
struct Outcome {
  std::string word, about;
};

std::string Shown(const Value& value) { return value ? '"' + value->substr(0, 400) + '"' : "(none)"; }

class Replay {
 public:
  explicit Replay(const Run& run) : run_(run) {}

  Outcome Go() {
    const auto translation = debezium::Translate(debezium::ReadConnector(run_.connector, "connector.json"), {});
    if (!translation.refusals.empty()) return {"refused by import", translation.refusals.front()};
    auto config = config::Parse(translation.configuration, "relay.json");
    if (!config.ok()) return {"different", "the configuration is not valid: " + config.status().text()};
    const auto columns = Mapped(json::parse(config->storage.options));
    if (!missing_.empty()) return {"refused by check", "no column " + missing_};
    std::vector<record::Problem> problems;
    record::Plan plan = record::Compile(config->record, columns, problems);
    if (!problems.empty()) return {"refused by check", problems.front().pointer + ": " + problems.front().text};
    publisher::PreparedBatch batch;
    Fill(columns, batch);
    record::Shaper(std::move(plan), publisher::HeaderValues::kAsText).Shape(batch);
    return Compare(batch);
  }

 private:
  // Returns the columns as a plugin describes them: first the columns with a role, then the other columns from which
  // records are made.
  std::vector<Column> Mapped(const json& options) {
    constexpr std::pair<const char*, std::int32_t> kRoles[] = {{"id", OUTBOX_ROLE_ID},
                                                               {"key", OUTBOX_ROLE_KEY},
                                                               {"payload", OUTBOX_ROLE_PAYLOAD},
                                                               {"partition", OUTBOX_ROLE_PARTITION}};
    std::vector<Column> mapped;
    std::set<std::string> names;
    const auto add = [&](const std::string& name, std::int32_t role) {
      const auto found =
          std::find_if(run_.columns.begin(), run_.columns.end(), [&](const Column& c) { return c.name == name; });
      if (found == run_.columns.end()) {
        missing_ = name;
        return;
      }
      mapped.push_back(*found);
      mapped.back().role = role;
      names.insert(name);
    };
    for (const auto& [role, number] : kRoles)
      if (options.at("columns").contains(role)) add(options["columns"][role].get<std::string>(), number);
    for (const json& name : options.at("record_columns"))
      if (names.count(name.get<std::string>()) == 0) add(name.get<std::string>(), OUTBOX_ROLE_NONE);
    return mapped;
  }

  void Fill(const std::vector<Column>& columns, publisher::PreparedBatch& batch) {
    values_.resize(run_.rows.size());
    events_.resize(run_.rows.size());
    for (std::size_t i = 0; i < run_.rows.size(); ++i) {
      outbox_event& event = events_[i];
      event = {};
      for (const Column& column : columns) {
        const Value& value = run_.rows[i].at(column.name);
        const bool payload = column.role == OUTBOX_ROLE_PAYLOAD;
        const outbox_bytes bytes = value ? Raw(*value) : outbox_bytes{nullptr, 0};
        if (payload) event.payload = bytes;
        values_[i].push_back(payload ? outbox_bytes{nullptr, 0} : bytes);
      }
      event.columns = values_[i].data();
      event.column_count = static_cast<decltype(event.column_count)>(values_[i].size());
    }
    outbox_batch raw{};
    raw.struct_size = sizeof raw;
    raw.event_size = sizeof(outbox_event);
    raw.events = events_.data();
    raw.count = events_.size();
    raw.release = [](outbox_batch*) {};
    batch.batch = storage::Batch(nullptr, raw);
  }

  static const Value* IdOf(const std::vector<std::pair<std::string, Value>>& headers) {
    const auto found = std::find_if(headers.begin(), headers.end(), [](const auto& h) { return h.first == "id"; });
    return found == headers.end() ? nullptr : &found->second;
  }

  Outcome Compare(const publisher::PreparedBatch& batch) {
    std::vector<GoldenRecord> made(batch.shaped.size());
    std::size_t refused = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const publisher::RecordContent content = batch.Content(i);
      GoldenRecord& record = made[i];
      if (batch.shaped[i].refusal >= 0) {
        ++refused;
        about_ = batch.refusals[static_cast<std::size_t>(batch.shaped[i].refusal)].text;
      }
      record.topic = std::string(content.event.topic);
      if (content.event.aggregate_id) record.key = std::string(*content.event.aggregate_id);
      if (content.event.payload) record.value = std::string(*content.event.payload);
      record.timestamp_ms = content.timestamp_ms;
      record.partition = batch.shaped[i].partition;
      publisher::HeaderReader reader(content.packed_headers);
      for (publisher::Header h; reader.Next(h);)
        record.headers.emplace_back(h.name, h.value ? Value(std::string(*h.value)) : std::nullopt);
    }
    std::vector<bool> used(made.size());
    std::size_t same = 0, different = 0;
    for (const GoldenRecord& record : run_.records) {
      const Value* id = IdOf(record.headers);
      if (id == nullptr) continue;  // The record has no id, so Debezium's event router did not make it.
      std::size_t i = 0;
      while (i < made.size() && (used[i] || IdOf(made[i].headers) == nullptr || *IdOf(made[i].headers) != *id)) ++i;
      if (i == made.size()) {
        ++different;
        about_ = "no record with the id " + Shown(*id);
        continue;
      }
      used[i] = true;
      const std::string difference = Difference(record, made[i]);
      (difference.empty() ? same : different) += 1;
      if (!difference.empty() && about_.empty()) about_ = difference;
    }
    if (different > 0)
      return {"different " + std::to_string(different) + " of " + std::to_string(same + different), about_};
    if (refused > 0 && run_.failed) return {"refused", about_};
    if (refused > 0) return {"different", about_};
    return {run_.failed ? "sent" : "same", ""};
  }

  [[nodiscard]] std::string Difference(const GoldenRecord& golden, const GoldenRecord& made) const {
    const auto differ = [](const char* part, const std::string& a, const std::string& b) {
      return std::string(part) + ": Debezium " + a + ", here " + b;
    };
    if (golden.topic != made.topic) return differ("topic", golden.topic, made.topic);
    if (golden.key != made.key) return differ("key", Shown(golden.key), Shown(made.key));
    if (golden.value != made.value) return differ("value", Shown(golden.value), Shown(made.value));
    if (made.partition >= 0 && made.partition != golden.partition)
      return differ("partition", std::to_string(golden.partition), std::to_string(made.partition));
    if (made.timestamp_ms != 0 && made.timestamp_ms != golden.timestamp_ms)
      return differ("timestamp", std::to_string(golden.timestamp_ms), std::to_string(made.timestamp_ms));
    for (std::size_t i = 0; i < std::max(golden.headers.size(), made.headers.size()); ++i) {
      if (i >= golden.headers.size() || i >= made.headers.size() || golden.headers[i].first != made.headers[i].first)
        return "the names of the headers differ";
      if (golden.headers[i].second != made.headers[i].second)
        return differ(("header " + golden.headers[i].first).c_str(), Shown(golden.headers[i].second),
                      Shown(made.headers[i].second));
    }
    return "";
  }

  const Run& run_;
  std::string missing_, about_;
  std::vector<outbox_event> events_;
  std::vector<std::vector<outbox_bytes>> values_;
};

std::map<std::string, std::string> Expected() {
  std::map<std::string, std::string> expected;
  std::ifstream file("tests/golden/outcomes.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t end = line.find(": ");
    expected[line.substr(0, end)] = line.substr(end + 2);
  }
  return expected;
}

TEST_CASE("the records of a recorded run of Debezium are reproduced byte for byte") {
  for (const char* variable :
       {"OUTBOX_DATABASE", "KAFKA_BOOTSTRAP_SERVERS", "OUTBOX_DATABASE_USER", "OUTBOX_DATABASE_PASSWORD"})
    setenv(variable, "x", 1);
  const auto expected = Expected();
  const bool print = std::getenv("OUTBOX_GOLDEN_PRINT") != nullptr;
  for (const auto& file : Files()) {
    const Run run = Read(file);
    const Outcome outcome = Replay(run).Go();
    if (print) {
      std::cout << run.name << ": " << outcome.word << (run.failed ? "   [FAILED]" : "") << "   " << outcome.about
                << '\n';
      continue;
    }
    INFO(run.name << ": " << outcome.about);
    const auto found = expected.find(run.name);
    CHECK(outcome.word == (found == expected.end() ? "same" : found->second));
  }
}

}  // namespace
}  // namespace outbox::golden
