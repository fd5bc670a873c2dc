// The parts of an INSERT statement that all databases share.
#pragma once

#include <string>
#include <string_view>

#include "../../detail/table_name.hpp"
#include "../event.hpp"

namespace outbox::emit::detail {

inline std::string Quoted(std::string_view table, char quote) {
  std::string sql = outbox::detail::QuotedTable(table, quote);
  if (sql.empty())
    throw EmitError(EmitCode::kBadOptions, "the table must be a name or schema.name of letters, digits and _");
  return sql;
}

inline const char* InsertColumns() { return " (event_id, topic, aggregate_id, event_type, payload, headers) values "; }

}  // namespace outbox::emit::detail
