// SQL stands in the sources as it would in a file, with places for what differs.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace outbox::sql {

// Every occurrence of each place, one place after the other; what is filled in may hold places that come later.
std::string Fill(std::string_view text, std::initializer_list<std::pair<std::string_view, std::string_view>> places);

}  // namespace outbox::sql
