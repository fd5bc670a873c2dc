// Reads the files of `outbox-relay import`, which contain names and values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::debezium {

// The settings of a file. If there are problems, the values are incomplete.
struct Settings {
  std::map<std::string, std::string> values;
  std::vector<std::string> problems;  // The mistakes in the file, each with its place.
};

// Reads a connector in the form that Kafka Connect accepts: a JSON object of names and values, or an object whose
// member "config" is such an object. `origin` is the file's name in messages.
[[nodiscard]] Settings ReadConnector(std::string_view text, const std::string& origin);

// Reads the worker's properties: JSON of the same form, or a Java properties file.
[[nodiscard]] Settings ReadWorker(std::string_view text, const std::string& origin);

}  // namespace outbox::debezium
