#include "sql/version_gate.hpp"

#include "outbox/adapter.hpp"

namespace outbox::sql {

void VersionGate::Check(Statements& db, const Tables& tables) {
  if (known_) return;
  Rows rows;
  try {
    rows = db.Run({tables.In("select version from {meta}"), {}});
  } catch (const Error& error) {
    if (error.code != OUTBOX_BAD_CONFIG) throw;
  }
  if (!rows.empty() && ToNumber(rows[0][0]) > kSchemaVersion)
    throw Error(OUTBOX_BAD_CONFIG, "the tables have version " + *rows[0][0] + " and this relay supports up to " +
                                       std::to_string(kSchemaVersion) +
                                       "; nothing was changed; use a newer outbox-relay");
  known_ = true;
}

}  // namespace outbox::sql
