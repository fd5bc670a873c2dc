#include "tests/golden/run.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace outbox::golden {
namespace {

using nlohmann::json;

std::string Unhex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    int byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

Value BytesOf(const json& value) {
  return value.is_null() ? std::nullopt : Value(Unhex(value.at("hex").get<std::string>()));
}

int NumberIn(const std::string& type, int otherwise) {
  const std::size_t open = type.find('(');
  return open == std::string::npos ? otherwise : std::stoi(type.substr(open + 1));
}

bool StartsWithAny(const std::string& type, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return type.starts_with(name); });
}

// Returns the column with the kind and the scale that the plugins report for its type.
Column Describe(const std::string& name, const std::string& type, bool mysql, bool nullable) {
  Column column;
  column.name = name;
  column.type = type;
  column.nullable = nullable;
  const auto is = [&](std::int32_t kind, int scale = -1) {
    column.kind = kind;
    column.scale = scale;
  };
  if (mysql && type.starts_with("bit"))
    is(type == "bit(1)" ? OUTBOX_COLUMN_BOOLEAN : OUTBOX_COLUMN_INTEGER);
  else if (type.ends_with("[]") || StartsWithAny(type, {"interval", "money", "bit", "point"}) ||
           (type.starts_with("time") && !type.starts_with("timestamp")))
    is(OUTBOX_COLUMN_OTHER);
  else if (StartsWithAny(type, {"smallint", "int4range"}) && type != "smallint")
    is(OUTBOX_COLUMN_TEXT);
  else if (StartsWithAny(type, {"smallint", "int", "bigint", "tinyint", "year"}))
    is(OUTBOX_COLUMN_INTEGER);
  else if (type == "boolean")
    is(OUTBOX_COLUMN_BOOLEAN);
  else if (StartsWithAny(type, {"numeric", "decimal"}))
    is(OUTBOX_COLUMN_DECIMAL, type.find(',') == std::string::npos ? -1 : std::stoi(type.substr(type.find(',') + 1)));
  else if (type == "real")
    is(OUTBOX_COLUMN_FLOAT);
  else if (type.starts_with("double"))
    is(OUTBOX_COLUMN_DOUBLE);
  else if (type == "date")
    is(OUTBOX_COLUMN_DATE);
  else if (type.ends_with("without time zone") || type.starts_with("datetime"))
    is(OUTBOX_COLUMN_TIMESTAMP, NumberIn(type, mysql ? 0 : -1));
  else if (type.starts_with("timestamp"))
    is(OUTBOX_COLUMN_INSTANT, NumberIn(type, mysql ? 0 : -1));
  else if (StartsWithAny(type, {"json"}))
    is(OUTBOX_COLUMN_JSON);
  else if (type == "bytea" || StartsWithAny(type, {"binary", "varbinary", "longblob", "blob"}))
    is(OUTBOX_COLUMN_BYTES);
  else
    is(OUTBOX_COLUMN_TEXT);
  return column;
}

std::int64_t Days(int year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const int era = year / 400, of_era = year - era * 400;
  const int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097LL + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

// Converts "2026-01-02 03:04:05.678901+00" to microseconds. REQUIRES: the zone is UTC.
std::string Micros(const std::string& text) {
  if (text.find("infinity") != std::string::npos) return text;
  const auto number = [&](std::size_t at, std::size_t size) { return std::stoi(text.substr(at, size)); };
  std::int64_t micros = Days(number(0, 4), number(5, 2), number(8, 2)) * 86'400'000'000;
  micros += number(11, 2) * 3'600'000'000LL + number(14, 2) * 60'000'000LL + number(17, 2) * 1'000'000LL;
  if (text.size() > 20 && text[19] == '.') {
    std::string fraction = text.substr(20, text.find('+') - 20);
    fraction.resize(6, '0');
    micros += std::stoi(fraction);
  }
  return std::to_string(micros);
}

// Converts text that the database's client has printed to a value in the form of outbox/ext/columns.h.
std::string ValueOf(const std::string& text, const Column& column, bool mysql) {
  switch (column.kind) {
    case OUTBOX_COLUMN_BYTES:
      return Unhex(text.starts_with("\\x") ? std::string_view(text).substr(2) : std::string_view(text));
    case OUTBOX_COLUMN_TIMESTAMP:
    case OUTBOX_COLUMN_INSTANT:
      return Micros(text);
    case OUTBOX_COLUMN_DATE:
      return std::to_string(
          Days(std::stoi(text.substr(0, 4)), std::stoi(text.substr(5, 2)), std::stoi(text.substr(8, 2))));
    case OUTBOX_COLUMN_DOUBLE:
    case OUTBOX_COLUMN_FLOAT:
      return text;
    default:
      break;
  }
  if (column.type.starts_with("character(")) {
    std::string padded = text;  // The client removes trailing blanks.
    padded.resize(std::max<std::size_t>(text.size(), static_cast<std::size_t>(NumberIn(column.type, 1))), ' ');
    return padded;
  }
  if (mysql && column.type == "bit(1)") return text == "1" ? "true" : "false";
  return text;
}

bool MayBeNull(const std::string& ddl, const std::string& column) {
  for (std::size_t at = ddl.find(column); at != std::string::npos; at = ddl.find(column, at + 1)) {
    const bool word = at > 0 && (ddl[at - 1] == ' ' || ddl[at - 1] == '(' || ddl[at - 1] == '"');
    if (!word) continue;
    const std::size_t end = std::min(ddl.find(',', at), ddl.size());
    const std::string definition = ddl.substr(at, end - at);
    return definition.find("not null") == std::string::npos && definition.find("primary key") == std::string::npos;
  }
  return true;
}

}  // namespace

std::vector<std::filesystem::path> Files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator("tests/golden/records"))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

Run Read(const std::filesystem::path& file) {
  std::ifstream stream(file);
  const json golden = json::parse(stream);
  Run run;
  run.name = golden.at("case").get<std::string>();
  run.connector = golden.at("connector").dump();
  const bool mysql = run.connector.find("MySqlConnector") != std::string::npos;
  const std::string ddl = golden.at("ddl").dump();
  for (const json& column : golden.at("columns")) {
    const std::string name = column[0].get<std::string>();
    run.columns.push_back(Describe(name, column[1].get<std::string>(), mysql, MayBeNull(ddl, name)));
  }
  for (const char* part : {"rows_before", "rows"}) {
    for (const json& row : golden.at(part)) {
      auto& values = run.rows.emplace_back();
      for (const Column& column : run.columns) {
        const auto found = row.find(column.name);
        values[column.name] = found == row.end() || found->is_null()
                                  ? std::nullopt
                                  : Value(ValueOf(found->get<std::string>(), column, mysql));
      }
    }
  }
  for (const json& record : golden.at("records")) {
    GoldenRecord& added = run.records.emplace_back();
    added.topic = record.at("topic").get<std::string>();
    added.partition = record.at("partition").get<int>();
    added.timestamp_ms = record.at("timestamp").get<std::int64_t>();
    added.key = BytesOf(record.at("key"));
    added.value = BytesOf(record.at("value"));
    for (const json& header : record.at("headers"))
      if (const auto name = header[0].get<std::string>(); !name.starts_with("__debezium.context."))
        added.headers.emplace_back(name, BytesOf(header[1]));
  }
  if (golden.contains("partitions") && golden["partitions"].is_object())
    run.partitions = golden["partitions"].get<std::map<std::string, int>>();
  run.failed = golden.at("outcome").at("state") != "RUNNING";
  return run;
}

}  // namespace outbox::golden
