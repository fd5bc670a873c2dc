// The row of the meta table: the version of the companion tables, and the outbox that they belong to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

struct Meta {
  long long version = 0, shards = 0;  // version 0 = there is no row yet
  Value outbox;                       // the table that the companions belong to; NULL before version 2
};

// Throws OUTBOX_BAD_CONFIG for tables of a newer version.
void RequireKnownVersion(const Meta& meta);
// For the relay and for those who change rows: throws OUTBOX_BAD_CONFIG unless the companions have this version and belong
// to this outbox. `ignore_case` says how the database compares names of tables. Who only reads may do so in newer tables too;
// false for those.
enum class Access : std::uint8_t { kReads, kWrites };
bool RequireOwn(Statements& db, const Tables& t, bool ignore_case, Access access = Access::kWrites);
// For migrate. `others` are existing tables of the same schema, besides this outbox's own, that would have the same
// companions and could be an outbox.
void RequireFree(const Tables& t, const Meta& meta, const std::vector<std::string>& others, bool ignore_case);
// The names that an outbox with these companions may have, the recorded one included, without this one's own.
[[nodiscard]] std::vector<std::string> Rivals(const Tables& t, const Value& recorded, bool ignore_case);

// Where the names of this outbox's companions are taken.
[[nodiscard]] std::string OtherName();

}  // namespace outbox::sql
