// Poison marks: outbox.poison/1, in SQL that all dialects share. The marks are stored in columns of the table {shard}.
// The column `lost` of that table is set by leases.cpp, when it frees the shards of a relay whose lease has expired;
// PoisonMarks reads and resets the column.
#pragma once

#include <cstdint>
#include <string>

#include "outbox/adapter.hpp"
#include "sql/dialect.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// Returns the error for a call whose token is stale.
[[nodiscard]] Error NotLeased(const Call& call);

class PoisonMarks {
 public:
  // REQUIRES: both arguments outlive this object.
  PoisonMarks(const Tables& tables, const Dialect& dialect) : tables_(tables), dialect_(dialect) {}

  [[nodiscard]] bool WasLost(Statements& db, const Call& call) const;
  [[nodiscard]] std::uint32_t Mark(Statements& db, const Call& call, const std::optional<RowId>& row) const;

 private:
  // Replaces the placeholders in `sql`, and appends a condition for the shard and the token of the call.
  [[nodiscard]] std::string In(const char* sql) const;

  const Tables& tables_;
  const Dialect& dialect_;
};

}  // namespace outbox::sql
