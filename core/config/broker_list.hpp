// Checks the syntax of bootstrap.servers. The client library does not report mistakes in this list: it replaces a port
// that is too large by another port, and skips entries that it cannot parse.
#pragma once

#include <string>
#include <string_view>

namespace outbox::config {

// Returns an empty string if `list` is a list of host[:port], separated by commas. An entry may begin with a protocol
// ("ssl://host:9093"), which must then be `protocol`, unless `protocol` is empty. Otherwise the function returns what
// is wrong and what was expected, and quotes the wrong entry only if `show_value` is true.
[[nodiscard]] std::string BrokerListProblem(std::string_view list, std::string_view protocol, bool show_value);

}  // namespace outbox::config
