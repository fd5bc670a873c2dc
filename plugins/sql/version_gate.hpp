// Keeps this code from writing to tables of a version that it does not know.
#pragma once

#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// Of one session. Thread: that of the session.
class VersionGate {
 public:
  // Before the first write of a session, outside of a transaction: a failed statement would end one.
  //
  // Errors: throws OUTBOX_BAD_CONFIG if the tables are newer than kSchemaVersion. Where the version cannot be read, because
  // there are no tables or this user may not see them, the write itself says what is wrong.
  void Check(Statements& db, const Tables& tables);

 private:
  bool known_ = false;
};

}  // namespace outbox::sql
