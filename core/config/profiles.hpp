// Shapes of tables that others write, by name: what "like" in the record section stands for.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/record.hpp"

namespace outbox::config {

struct Profile {
  std::string_view name;
  // Role to column, as in "columns" of the storage options.
  std::vector<std::pair<std::string_view, std::string_view>> columns;
  std::string_view topic;
  std::vector<NamedText> headers;
  bool debezium = false;  // values of columns are written as Debezium does (record/column_text.hpp)
};

[[nodiscard]] const std::vector<Profile>& Profiles();
// nullptr = there is none of this name.
[[nodiscard]] const Profile* FindProfile(std::string_view name);

}  // namespace outbox::config
