// A recorded run of Debezium's: the connector, the table, its rows, and the records that it made of them.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "outbox/adapter.hpp"

namespace outbox::golden {

using Value = std::optional<std::string>;

struct GoldenRecord {
  std::string topic;
  int partition = 0;
  std::int64_t timestamp_ms = 0;
  Value key, value;
  std::vector<std::pair<std::string, Value>> headers;  // without __debezium.context.*
};

struct Run {
  std::string name, connector;                     // the latter as JSON
  std::vector<Column> columns;                     // the table's columns, without roles
  std::vector<std::map<std::string, Value>> rows;  // values as outbox/ext/columns.h has them
  std::vector<GoldenRecord> records;
  std::map<std::string, int> partitions;
  bool failed = false;  // Debezium stopped
};

[[nodiscard]] std::vector<std::filesystem::path> Files();
[[nodiscard]] Run Read(const std::filesystem::path& file);

}  // namespace outbox::golden
