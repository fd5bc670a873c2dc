// The names of the outbox's tables, derived from the configured name.
//
// The companion tables are in the same schema as the outbox. The prefix of their names is the name of the outbox
// without a trailing "_event": the outbox "outbox_event" has outbox_retry, outbox_dead, ...; "sales.shop_event" has
// sales.shop_retry, ...; and "orders_outbox" has orders_outbox_retry, .... So two outboxes of one schema can have the
// same companion tables only if their names differ in nothing but "_event" (or in case, if the database ignores it).
// The meta table records which outbox owns the companion tables.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sql/source.hpp"

namespace outbox::sql {

// A function that quotes the name of a column, which may contain any character, for one database. nullptr means that
// the name is put between `quote` characters, and each such character in the name is doubled.
using QuoteColumn = std::string (*)(std::string_view name);

struct Tables {
  // Derives the names. `table` is name or schema.name, where each part matches [A-Za-z_][A-Za-z0-9_]*. `quote` is the
  // character that the database puts around names. `ignore_case` is true if table names that differ only in case may
  // denote one table, so "_EVENT" counts as the suffix, too. If `captured` is given, `table` is a table of the
  // application, and the outbox is the capture table that holds copies of its rows. Errors: throws OUTBOX_BAD_CONFIG if
  // `table` is not such a name.
  explicit Tables(const std::string& table, char quote = '"', bool ignore_case = false,
                  const std::shared_ptr<const Source>& captured = nullptr, QuoteColumn quote_column = nullptr);
  // Returns the same tables in a schema whose name comes from the database, so that it may contain any character.
  [[nodiscard]] Tables Within(const std::string& schema_name) const;

  std::string schema;  // "" = the schema in which the connection finds the tables
  std::string prefix;
  std::string event_name;                  // the name of the outbox, unquoted and without the schema
  std::shared_ptr<const Source> captured;  // the captured table; null = the application writes the events itself

  // Replaces the placeholders in `sql`: {event}, {retry}, {dead}, {shard}, {relay}, {meta} and {source} become the
  // name of that table; {copies} becomes the copies of the captured table's columns, each after a comma: ", "a", "b"";
  // and {x.copies} becomes the same as columns of the alias x. Both are empty in an outbox that captures nothing.
  //
  // Replacements are not scanned again. In() must make the last replacement in a text, because names of columns may
  // look like any other placeholder.
  [[nodiscard]] std::string In(std::string_view sql) const;

  // Quoted names with the schema, ready for SQL.
  std::string event, retry, dead, shard, relay, meta;
  std::string source;                                              // the captured table; "" = none
  std::string emit;                                                // the emit function, if the database has functions
  [[nodiscard]] std::string Quote(const std::string& name) const;  // quotes an object of the same schema
  // the name with the schema for people, without quotes
  [[nodiscard]] std::string Shown(const std::string& name) const;
  [[nodiscard]] std::string Column(std::string_view name) const;  // quotes a column's name

 private:
  void NameAll();
  char quote_;
  QuoteColumn quote_column_;
};

[[nodiscard]] bool SameName(std::string_view a, std::string_view b, bool ignore_case);

// The schema version that this code reads and writes. The meta table records the version of the existing tables.
constexpr int kSchemaVersion = 2;

// The fix in an error that is caused by missing or outdated tables.
inline constexpr const char* kMigrate = "run: outbox-relay migrate";

// The error of migrate if the database denies a statement.
inline constexpr const char* kMayNotMigrate =
    "this user lacks the privileges to create the outbox's tables here; run migrate as a user who has them, or let "
    "such a user run the output of `outbox-relay migrate --print`";

}  // namespace outbox::sql
