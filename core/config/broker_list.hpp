// The syntax of bootstrap.servers, of which the client library itself says nothing: it takes another port for one that is
// too large, and leaves out what it cannot read.
#pragma once

#include <string>
#include <string_view>

namespace outbox::config {

// Empty = a list of host[:port] with commas, each perhaps with the protocol in front ("ssl://host:9093"), which must be
// `protocol` unless that is empty. Else what is wrong and what was expected; it holds a part of the list only where
// `show_value` allows it.
[[nodiscard]] std::string BrokerListProblem(std::string_view list, std::string_view protocol, bool show_value);

}  // namespace outbox::config
