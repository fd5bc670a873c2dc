// A recorded run of Debezium: the connector, the table, its rows, and the records that Debezium made from these rows.
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
  // The headers of the record, without the headers __debezium.context.*
  std::vector<std::pair<std::string, Value>> headers;
};

struct Run {
  // `connector` is the configuration of the connector, as JSON.
  std::string name, connector;
  // The columns of the table, without roles.
  std::vector<Column> columns;
  // The rows of the table: values by column name, in the form that outbox/ext/columns.h defines.
  std::vector<std::map<std::string, Value>> rows;
  std::vector<GoldenRecord> records;
  std::map<std::string, int> partitions;
  bool failed = false;  // True if the connector was no longer running at the end of the run.
};

[[nodiscard]] std::vector<std::filesystem::path> Files();
[[nodiscard]] Run Read(const std::filesystem::path& file);

}  // namespace outbox::golden
