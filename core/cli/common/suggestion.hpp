// Whose outbox is this table, and can the relay deliver it? For `check --suggest`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"

namespace outbox::cli {

struct Suggestion {
  std::string whose = {};    // "the table of Debezium's EventRouter"
  std::string like = {};     // the profile that fits; "" = none
  std::string why_not = {};  // why the relay does not deliver it; "" = it does
  bool is_own = false;       // it is an outbox of the relay's own: nothing is to be captured
};

// By the names of the columns. Nothing = no table that is known has them.
[[nodiscard]] std::optional<Suggestion> SuggestFor(const std::vector<Column>& columns);

}  // namespace outbox::cli
