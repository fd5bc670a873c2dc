// The row of the meta table, which holds the version of the companion tables and the name of the outbox that owns them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

struct Meta {
  long long version = 0, shards = 0;  // version 0 = there is no row yet
  Value outbox;                       // the name of the outbox that owns the companion tables; NULL before version 2
};

// Checks the version of the tables. Errors: throws OUTBOX_BAD_CONFIG if it is newer than the version that this code
// knows.
void RequireKnownVersion(const Meta& meta);
// RequireOwn() checks, for a relay and for commands that change rows (kWrites), that the companion tables have the
// version of this code and belong to this outbox. A command that only reads (kReads) may also use tables of a newer
// version; the result is then false. `ignore_case` is true if the database ignores case when it compares table names.
// Errors: throws OUTBOX_BAD_CONFIG.
enum class Access : std::uint8_t { kReads, kWrites };
bool RequireOwn(Statements& db, const Tables& t, bool ignore_case, Access access = Access::kWrites);
// Checks, for migrate, that no other outbox uses the same companion tables. `others` are the existing tables of the
// same schema, other than this outbox, whose companion tables have the same names, and which may be an outbox.
void RequireFree(const Tables& t, const Meta& meta, const std::vector<std::string>& others, bool ignore_case);
// Returns the names that another outbox with the same companion tables may have. `recorded` is the name in the meta
// table; it is one of them unless it is NULL.
[[nodiscard]] std::vector<std::string> Rivals(const Tables& t, const Value& recorded, bool ignore_case);

// Returns the fix for an outbox whose companion tables need names that are already in use.
[[nodiscard]] std::string OtherName();

}  // namespace outbox::sql
