// The event that ends every relay which sends it: outbox.poison/1 in SQL that all dialects share. What leases.hpp frees
// and returns is told here.
#pragma once

#include <cstdint>
#include <string>

#include "outbox/adapter.hpp"
#include "sql/leases.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

class PoisonMarks {
 public:
  PoisonMarks(const Tables& tables, const LeaseDialect& dialect);

  [[nodiscard]] bool WasLost(Statements& db, const Call& call) const;
  [[nodiscard]] std::uint32_t Mark(Statements& db, const Call& call, Bytes row) const;

 private:
  std::string was_lost_, mark_, owners_, forget_;
};

}  // namespace outbox::sql
