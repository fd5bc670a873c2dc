// The files that `outbox-relay import` reads: names and values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::debezium {

struct Settings {
  std::map<std::string, std::string> values;
  std::vector<std::string> problems;  // what is wrong with the file, each with its place
};

// A connector as Kafka Connect takes it: a JSON object of names and values, or one that has it as "config".
[[nodiscard]] Settings ReadConnector(std::string_view text, const std::string& origin);

// The worker's properties: the same JSON, or a Java properties file.
[[nodiscard]] Settings ReadWorker(std::string_view text, const std::string& origin);

}  // namespace outbox::debezium
