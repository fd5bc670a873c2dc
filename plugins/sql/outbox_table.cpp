#include "sql/outbox_table.hpp"

#include <algorithm>

#include "outbox/event.hpp"

namespace outbox::sql {

void RequireOutbox(const std::string& shown, const Rows& columns, const std::vector<Column>& wanted,
                   bool (*is_id)(const std::string& type)) {
  if (columns.empty()) return;
  std::string missing;
  const auto add = [&](const std::string& name) { missing += (missing.empty() ? "" : ", ") + name; };
  for (const auto& [name, type, since] : wanted) {
    const auto found =
        std::find_if(columns.begin(), columns.end(), [&n = name](const Row& row) { return row.at(0) == n; });
    if (found == columns.end())
      add(name);
    else if (name == "id" && !is_id(found->at(1).value_or("")))
      add("id (it is " + found->at(1).value_or("of another type") + ", which has no order)");
  }
  if (missing.empty()) return;
  throw Error(OUTBOX_BAD_CONFIG, "table " + shown + " is not an outbox, and nothing was changed; it lacks: " + missing +
                                     ". Name another table in 'table' of /storage/options; `outbox-relay check` prints"
                                     " the SQL that would make an outbox of this one");
}

}  // namespace outbox::sql
