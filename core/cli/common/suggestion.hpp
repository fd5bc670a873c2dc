// Recognises the outbox tables of other software and says whether the relay can deliver them, for `check --suggest`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"

namespace outbox::cli {

struct Suggestion {
  std::string whose = {};    // A description of the table, such as "the table of Debezium's EventRouter".
  std::string like = {};     // The profile that fits; "" = none.
  std::string why_not = {};  // The reason why the relay cannot deliver the events of the table; "" = it can.
  bool is_own = false;       // True for an outbox of the relay's own, from which nothing has to be captured.
};

// Recognises a table by the names of its columns. Returns nothing if no known table has these columns.
[[nodiscard]] std::optional<Suggestion> SuggestFor(const std::vector<Column>& columns);

}  // namespace outbox::cli
