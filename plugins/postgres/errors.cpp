#include "postgres/errors.hpp"

#include <algorithm>
#include <initializer_list>

namespace outbox::postgres {

bool IsConflict(const std::string& sqlstate) { return sqlstate == "40001" || sqlstate == "40P01"; }

bool IsDenied(const std::string& sqlstate) { return sqlstate == "42501"; }

// Decides by the class of the SQLSTATE. A class that says nothing about the rows (connections, conflicts, resources,
// operators, a read-only server, the server's own faults) is no refusal. Constraints, errors raised by triggers, data
// errors and limits are refusals. The rest, such as a missing table or privilege, is a refusal only inside a trigger:
// in the statement itself it is a fault that the relay reports.
bool IsRefusal(const std::string& sqlstate, bool within_function) {
  const std::string family = sqlstate.substr(0, 2);
  const auto is_one_of = [&family](std::initializer_list<const char*> some) {
    return std::find(some.begin(), some.end(), family) != some.end();
  };
  if (sqlstate.size() != 5 || sqlstate == kLockTimeout || sqlstate == "55006" || sqlstate == "55P04") return false;
  if (is_one_of({"00", "01", "02", "08", "25", "26", "28", "40", "53", "57", "58", "72", "F0", "XX"})) return false;
  if (is_one_of({"09", "21", "22", "23", "27", "38", "39", "44", "45", "54", "55", "P0"})) return true;
  // The other SQLSTATE classes that PostgreSQL defines.
  const bool own = is_one_of({"03", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "24", "2B", "2D", "2F", "34", "3B",
                              "3D", "3F", "42", "HV"});
  return within_function || !own;
}

std::string Grants(const sql::Tables& t, const std::string& role) {
  const std::string to = " to " + role + ";";
  std::string sql = t.schema.empty() ? "" : "grant usage on schema \"" + t.schema + "\"" + to + " ";
  return sql + "grant select, delete on " + t.event + to + " grant select, insert, update, delete on " + t.retry +
         ", " + t.relay + to + " grant select, insert, delete on " + t.dead + to + " grant select, update on " +
         t.shard + ", " + t.meta + to;
}

Error ReadOnly(const std::string& what, const std::string& fix) {
  return {OUTBOX_UNAVAILABLE, "PostgreSQL: " + what + ", so delivered events could not be confirmed; " + fix, "25006"};
}

Error ReadOnly() {
  return ReadOnly("the server or this session is read-only",
                  std::string("for a standby: ") + kUsePrimary +
                      "; otherwise find out what has set default_transaction_read_only: `select source from "
                      "pg_settings where name ="
                      " 'default_transaction_read_only'` in a session of the relay's role");
}

Error Explain(const sql::Tables& tables, const std::string& sqlstate, const std::string& message) {
  const auto error = [&](outbox_code code, const std::string& fix = "") {
    return Error(code, "PostgreSQL: " + message + (fix.empty() ? "" : "; " + fix), sqlstate);
  };
  const std::string family = sqlstate.substr(0, 2);
  if (sqlstate == kLockTimeout || sqlstate == kStatementTimeout) return error(OUTBOX_TIMEOUT);
  if (sqlstate == "25006") return ReadOnly();
  if (sqlstate == "42P01" || sqlstate == "42703" || sqlstate == "3F000") return error(OUTBOX_BAD_CONFIG, sql::kMigrate);
  if (IsDenied(sqlstate)) return error(OUTBOX_BAD_CONFIG, Grants(tables, "<the relay's role>"));
  if (sqlstate == "P0001") return error(OUTBOX_BAD_CONFIG);  // raised by the statements of migrate
  if (family == "28" || sqlstate == "3D000") return error(OUTBOX_BAD_CONFIG, "correct 'connection'");
  if (sqlstate == "22021")
    return error(OUTBOX_BAD_DATA,
                 "a text column cannot hold these bytes; for payloads run: outbox-relay migrate --payload bytea");
  if (family == "22" || family == "23") return error(OUTBOX_BAD_DATA);
  if (sqlstate == "42P05")
    return error(OUTBOX_UNAVAILABLE,
                 "another client uses this session, too: connect directly to the server, or to a pool in session mode");
  // The prepared statements of this session are gone or no longer valid.
  if (sqlstate == "26000" || sqlstate == "0A000") return error(OUTBOX_UNAVAILABLE);
  if (family == "08" || family == "53" || family == "57" || family == "58" || IsConflict(sqlstate) || sqlstate.empty())
    return error(OUTBOX_UNAVAILABLE);
  return error(OUTBOX_INTERNAL);
}

}  // namespace outbox::postgres
