#include "sql/dialect.hpp"

#include "sql/sql_template.hpp"

namespace outbox::sql {

std::string Dialect::In(const Tables& tables, std::string_view sql) const {
  return tables.In(Fill(sql, {{"[text]", text},
                              {"[integer]", integer},
                              {"[div]", div},
                              {"[lock]", lock},
                              {"[dual]", dual},
                              {"[shown now]", shown ? shown(now) : now},
                              {"[now]", now},
                              {"[later]", later},
                              {"[left]", left},
                              {"[stamp]", stamp},
                              {"[namesake]", namesake},
                              {"[same failure]", same_failure},
                              {"[event id]", event_id},
                              {"[behind]", behind},
                              {"[estimate]", estimate}}));
}

}  // namespace outbox::sql
