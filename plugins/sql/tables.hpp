// The names of the outbox's tables, from the one that is configured.
//
// The side tables lie beside the outbox: same schema, and its name without a trailing "_event" as their prefix. So
// "outbox_event" has outbox_retry, outbox_dead, ...; "sales.shop_event" has sales.shop_retry, ...; and "orders_outbox" has
// orders_outbox_retry, .... Two outboxes in one schema never share a side table unless their own names are equal but
// for "_event".
#pragma once

#include <string>
#include <string_view>

namespace outbox::sql {

struct Tables {
  // `table` is name or schema.name, [A-Za-z_][A-Za-z0-9_]* each; else throws OUTBOX_BAD_CONFIG. `quote` is what the
  // database puts around names.
  explicit Tables(const std::string& table, char quote = '"');

  std::string schema;  // "" = as the connection finds it
  std::string prefix;
  std::string event_name;  // unquoted, without the schema

  // The SQL with each of {event}, {retry}, {dead}, {shard}, {relay} and {meta} as the name of that table.
  [[nodiscard]] std::string In(std::string_view sql) const;

  // Quoted, with the schema: ready for SQL.
  std::string event, retry, dead, shard, relay, meta;
  std::string emit;                                                // the function, where the database has functions
  [[nodiscard]] std::string Quote(const std::string& name) const;  // an object of the same schema

 private:
  char quote_;
};

// The version of the tables that this code reads and writes; kept in the meta table.
constexpr int kSchemaVersion = 1;

// For the text of an error that a missing or foreign schema caused.
inline constexpr const char* kMigrate = "run: outbox-relay migrate";

// For migrate itself.
inline constexpr const char* kMayNotMigrate =
    "this user may not make the outbox's tables here; run migrate as one who may, or let that one run what "
    "`outbox-relay migrate --print` prints";

}  // namespace outbox::sql
