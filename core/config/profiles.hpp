// Profiles: defaults for outbox tables of other programs, by name. The name is the value of "like" in the record
// section.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/record.hpp"

namespace outbox::config {

struct Profile {
  std::string_view name;
  // Pairs of role and column, as in "columns" of the storage options.
  std::vector<std::pair<std::string_view, std::string_view>> columns;
  std::string_view topic;
  std::vector<NamedText> headers;
  bool debezium = false;  // True to write values of columns as Debezium does (record/column_text.hpp).
};

[[nodiscard]] const std::vector<Profile>& Profiles();
// Returns the profile of this name; nullptr = there is none.
[[nodiscard]] const Profile* FindProfile(std::string_view name);

}  // namespace outbox::config
