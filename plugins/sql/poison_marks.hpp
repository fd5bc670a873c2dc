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
  PoisonMarks(const Tables& tables, const Dialect& dialect);

  [[nodiscard]] bool WasLost(Statements& db, const Call& call) const;
  [[nodiscard]] std::uint32_t Mark(Statements& db, const Call& call, Bytes row) const;

 private:
  std::string was_lost_, mark_, owners_, forget_;
};

}  // namespace outbox::sql
