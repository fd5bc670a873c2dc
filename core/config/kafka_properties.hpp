// Which librdkafka properties a configuration may set.
//
// An allow-list, because among the others are properties that load libraries, run commands or switch TLS checks off,
// and those on which the relay's promises rest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outbox::config {

// Empty = may be set, and the librdkafka of this build takes the value; else one sentence why not, which may hold the
// value only where `show_value` allows it and the property is not a secret one.
[[nodiscard]] std::string KafkaPropertyProblem(std::string_view name, const std::string& value, bool show_value = true);

// The value of an allowed property as librdkafka understands it: "ssl" for " SSL".
[[nodiscard]] std::string KafkaValue(const std::string& name, const std::string& value);

[[nodiscard]] bool IsSecretKafkaProperty(std::string_view name);

// The characters that separate the parts of the property's value; empty: it is one value, whatever is in it.
[[nodiscard]] std::string_view KafkaSeparators(std::string_view name);

[[nodiscard]] std::vector<std::string> AllowedKafkaProperties();

}  // namespace outbox::config
