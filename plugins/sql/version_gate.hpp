// Prevents this code from writing to tables of a version that it does not know.
#pragma once

#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

// Checks the version of the tables once for the session that owns the object. Thread: the thread of the session.
class VersionGate {
 public:
  // Checks the version. REQUIRES: it is called before the first write of the session and outside a transaction, because
  // a failed statement aborts the transaction.
  //
  // Errors: throws OUTBOX_BAD_CONFIG if the tables are newer than kSchemaVersion. If the version cannot be read,
  // because there are no tables or this user lacks permission, Check() does not throw: the write itself then reports
  // the problem.
  void Check(Statements& db, const Tables& tables);

 private:
  bool known_ = false;
};

}  // namespace outbox::sql
