// Row ids as they cross the plugin boundary: decimal numbers.
#pragma once

#include <optional>
#include <string_view>

namespace outbox::sql {

// Nothing if `text` is not the id of a row: it is not a number, or does not fit into 64 bits.
[[nodiscard]] std::optional<long long> ParseId(std::string_view text);

}  // namespace outbox::sql
