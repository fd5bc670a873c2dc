// The six tables of an outbox, described once for every database: what each column holds, and which version brought it. A
// dialect says how its database writes that, and adds what only its own tables have: storage, indexes, a column of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sql/tables.hpp"

namespace outbox::sql {

// What a column holds. A dialect writes the kinds of the first group whole, with NOT NULL, default and primary key. Those of
// the second group get what follows the type from the description.
enum class ColumnKind : std::uint8_t {
  kNewId,       // of the outbox: rises with the order of insertion and never comes again; the primary key
  kNewEventId,  // of the outbox: made by the database where the application gives none
  kCreated,     // of the outbox: when the event was inserted
  kCopiedTime,  // the same in another table; NULL where the outbox may have it
  kTime,        // when something happened, for people; never NULL
  kDue,         // when something is to happen; NULL = not by itself
  kExpiry,      // when a relay's lease ends; never NULL
  kOnlyRow,     // always 1; the primary key

  kTopic,    // a name that Kafka takes
  kName,     // up to 255 characters, such as a relay's
  kText,     // whatever the outbox's own text columns hold, which the application may have made wider
  kError,    // a message for people
  kState,    // a word of up to 16 characters
  kEventId,  // an event_id of the outbox
  kPayload,
  kHeaders,
  kBigNumber,  // 64 bits
  kNumber      // 32 bits
};

struct Column {
  std::string name;
  // With constraints. A column that an earlier version did not have must be one that can be added to a table with rows:
  // nullable, or with a constant default.
  std::string type;
  int since = 1;  // the version of the tables that brought it
  // Not "": a copy of a column of the captured table, whose name may hold any character; this is the name in quotes.
  std::string quoted = {};
  [[nodiscard]] const std::string& sql_name() const { return quoted.empty() ? name : quoted; }
};

struct Index {
  std::string name;
  std::string columns;  // with brackets
};

struct Table {
  std::string kind;                                // event, retry, dead, relay, shard or meta
  std::string name;                                // without schema and quotes
  std::vector<Column> columns;                     // the first one is the primary key
  std::string storage = {};                        // behind the closing bracket
  std::vector<Index> indexes = {};                 // besides the primary key
  std::vector<std::string> obsolete_indexes = {};  // made by earlier versions, dropped by an upgrade
};

// The places of the tables in OutboxTables().
enum TableIndex : std::uint8_t { kEvent, kRetry, kDead, kRelay, kShard, kMeta };

// How a database writes the type of a column and what follows it.
struct TypeDialect {
  std::span<const std::pair<ColumnKind, std::string_view>> types;
  std::string_view text = "text";                          // the type of all kinds that are not in it
  std::string_view key = " primary key";                   // behind the type of the first column
  std::string_view initial = " not null default [value]";  // behind the type of a column that starts with a value
};

[[nodiscard]] std::vector<Table> OutboxTables(const Tables& t, const TypeDialect& dialect);

// Adds the copies of the captured table's columns to the outbox and to the dead letters, where there are any. `type` is that of
// a copy, by its name: one that holds whatever the source's column can hold, nullable, without constraints. "" leaves it out.
void AddCopies(std::vector<Table>& tables, const Tables& t, const std::function<std::string(const std::string&)>& type);

// The names of the six, the outbox first.
[[nodiscard]] std::vector<std::string> NamesOf(const Tables& t);

// REQUIRES: the table has a column of this name.
[[nodiscard]] Column& ColumnOf(Table& table, std::string_view name);

// What the relay's user needs: each table, without schema and quotes, with the rights on it.
[[nodiscard]] std::vector<std::pair<std::string, std::vector<std::string>>> RelayRights(const Tables& t);

}  // namespace outbox::sql
