#include "sql/row_id.hpp"

#include <algorithm>
#include <charconv>

namespace outbox::sql {

std::optional<long long> ParseId(std::string_view text) {
  long long id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

std::vector<long long> SortedIds(RowIds rows) {
  std::vector<long long> ids;
  ids.reserve(rows.size());
  for (const RowId& row : rows) ids.push_back(row.number());
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::string Listed(std::span<const long long> ids) {
  std::string list;
  list.reserve(ids.size() * 10);
  for (const long long id : ids) {
    if (!list.empty()) list += ',';
    list += std::to_string(id);
  }
  return list;
}

}  // namespace outbox::sql
