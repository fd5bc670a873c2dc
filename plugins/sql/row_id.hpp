// Row ids as 64-bit numbers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/event.hpp"

namespace outbox::sql {

// Identifies a row of the outbox. Both parts are needed, because a row id may be assigned again.
struct OutboxRow {
  long long id = 0;
  std::string_view event_id;
};

// Parses a row id. Returns nothing if `text` is not a decimal number, or is a number that does not fit into 64 bits.
[[nodiscard]] std::optional<long long> ParseId(std::string_view text);

// Returns the ids in ascending order.
[[nodiscard]] std::vector<long long> SortedIds(RowIds rows);

// Returns the ids as a list for SQL, separated by commas.
[[nodiscard]] std::string Listed(std::span<const long long> ids);

}  // namespace outbox::sql
