// The event that ends every relay which sends it: outbox.poison/1 in SQL that all dialects share. What leases.hpp frees
// and returns is told here.
#pragma once

#include <cstdint>
#include <string>

#include "outbox/adapter.hpp"
#include "sql/dialect.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// Of a call under a token that the shard no longer has.
[[nodiscard]] Error NotLeased(const Call& call);

class PoisonMarks {
 public:
  // REQUIRES: both live as long as this does.
  PoisonMarks(const Tables& tables, const Dialect& dialect) : tables_(tables), dialect_(dialect) {}

  [[nodiscard]] bool WasLost(Statements& db, const Call& call) const;
  [[nodiscard]] std::uint32_t Mark(Statements& db, const Call& call, const std::optional<RowId>& row) const;

 private:
  // Of the shard and the token of the call.
  [[nodiscard]] std::string In(const char* sql) const;

  const Tables& tables_;
  const Dialect& dialect_;
};

}  // namespace outbox::sql
