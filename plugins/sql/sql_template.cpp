#include "sql/sql_template.hpp"

namespace outbox::sql {

std::string Fill(std::string_view text, std::initializer_list<std::pair<std::string_view, std::string_view>> places) {
  std::string filled(text);
  for (const auto& [place, with] : places)
    for (auto at = filled.find(place); at != std::string::npos; at = filled.find(place, at + with.size()))
      filled.replace(at, place.size(), with);
  return filled;
}

}  // namespace outbox::sql
