// The ids of rows: numbers of 64 bits.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/event.hpp"

namespace outbox::sql {

// A row of the outbox is named by both: ids may come again.
struct OutboxRow {
  long long id = 0;
  std::string_view event_id;
};

// Nothing if `text` is not a decimal number, or one that does not fit into 64 bits.
[[nodiscard]] std::optional<long long> ParseId(std::string_view text);

// Ascending.
[[nodiscard]] std::vector<long long> SortedIds(RowIds rows);

// For SQL: with commas between them.
[[nodiscard]] std::string Listed(std::span<const long long> ids);

}  // namespace outbox::sql
