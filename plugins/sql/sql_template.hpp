// SQL texts with placeholders for the parts that vary. Apart from the placeholders, the SQL in the sources is written
// as in an SQL file.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace outbox::sql {

// Replaces every occurrence of each placeholder, one placeholder after the other. A replacement may contain
// placeholders that come later in the list.
std::string Fill(std::string_view text, std::initializer_list<std::pair<std::string_view, std::string_view>> places);

}  // namespace outbox::sql
