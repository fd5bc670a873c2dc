// The names of the outbox's tables, from the one that is configured.
//
// The side tables lie beside the outbox: same schema, and its name without a trailing "_event" as their prefix. So
// "outbox_event" has outbox_retry, outbox_dead, ...; "sales.shop_event" has sales.shop_retry, ...; and "orders_outbox" has
// orders_outbox_retry, .... Two outboxes in one schema have the same side tables only if their own names are equal but
// for "_event" (or for case, where the database ignores it); the meta table says whose they are.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sql/source.hpp"

namespace outbox::sql {

// How a database writes a column's name, which may hold any character. nullptr: between `quote`, which is doubled in it.
using QuoteColumn = std::string (*)(std::string_view name);

struct Tables {
  // `table` is name or schema.name, [A-Za-z_][A-Za-z0-9_]* each; else throws OUTBOX_BAD_CONFIG. `quote` is what the
  // database puts around names.
  // `ignore_case`: names of tables that differ in case only may be one table, so "_EVENT" is a suffix too.
  // `captured`: `table` is a table of the application's, and the outbox is the one that holds copies of its rows.
  explicit Tables(const std::string& table, char quote = '"', bool ignore_case = false,
                  const std::shared_ptr<const Source>& captured = nullptr, QuoteColumn quote_column = nullptr);
  // The same tables in a schema whose name the database gave. Its name may have other characters.
  [[nodiscard]] Tables Within(const std::string& schema_name) const;

  std::string schema;  // "" = as the connection finds it
  std::string prefix;
  std::string event_name;                  // unquoted, without the schema
  std::shared_ptr<const Source> captured;  // what the rows are copies of; null = the application writes them itself

  // The SQL with each of {event}, {retry}, {dead}, {shard}, {relay}, {meta} and {source} as the name of that table; {copies}
  // as the copies of the source's columns, each behind a comma: ", "a", "b""; and {x.copies} likewise as columns of the
  // alias x. Both are empty in an outbox that captures nothing.
  //
  // What was filled in is not looked at again. So this comes last of all: names of columns may look like any other place.
  [[nodiscard]] std::string In(std::string_view sql) const;

  // Quoted, with the schema: ready for SQL.
  std::string event, retry, dead, shard, relay, meta;
  std::string source;                                              // of the captured table; "" = none
  std::string emit;                                                // the function, where the database has functions
  [[nodiscard]] std::string Quote(const std::string& name) const;  // an object of the same schema
  [[nodiscard]] std::string Shown(const std::string& name) const;  // the same for people, without quotes
  [[nodiscard]] std::string Column(std::string_view name) const;   // quoted

 private:
  void NameAll();
  char quote_;
  QuoteColumn quote_column_;
};

[[nodiscard]] bool SameName(std::string_view a, std::string_view b, bool ignore_case);

// The version of the tables that this code reads and writes; kept in the meta table.
constexpr int kSchemaVersion = 2;

// For the text of an error that a missing or foreign schema caused.
inline constexpr const char* kMigrate = "run: outbox-relay migrate";

// For migrate itself.
inline constexpr const char* kMayNotMigrate =
    "this user may not make the outbox's tables here; run migrate as one who may, or let that one run what "
    "`outbox-relay migrate --print` prints";

}  // namespace outbox::sql
