#include "sql/row_id.hpp"

#include <charconv>

namespace outbox::sql {

std::optional<long long> ParseId(std::string_view text) {
  long long id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

}  // namespace outbox::sql
