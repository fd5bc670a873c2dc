#include "postgres/errors.hpp"

namespace outbox::postgres {

bool IsConflict(const std::string& sqlstate) { return sqlstate == "40001" || sqlstate == "40P01"; }

bool IsDenied(const std::string& sqlstate) { return sqlstate == "42501"; }

std::string Grants(const sql::Tables& t, const std::string& role) {
  const std::string to = " to " + role + ";";
  std::string sql = t.schema.empty() ? "" : "grant usage on schema \"" + t.schema + "\"" + to + " ";
  return sql + "grant select, delete on " + t.event + to + " grant select, insert, update, delete on " + t.retry +
         ", " + t.relay + to + " grant select, insert, delete on " + t.dead + to + " grant select, update on " +
         t.shard + ", " + t.meta + to;
}

Error ReadOnly() {
  return {
      OUTBOX_UNAVAILABLE,
      "PostgreSQL: the server is read-only, so what is sent could not be confirmed; where it stays so, connect to the"
      " primary, with target_session_attrs=read-write and all hosts in 'connection'",
      "25006"};
}

Error Explain(const sql::Tables& tables, const std::string& sqlstate, const std::string& message) {
  const auto error = [&](outbox_code code, const std::string& mend = "") {
    return Error(code, "PostgreSQL: " + message + (mend.empty() ? "" : "; " + mend), sqlstate);
  };
  const std::string family = sqlstate.substr(0, 2);
  if (sqlstate == "55P03" || sqlstate == "57014") return error(OUTBOX_TIMEOUT);
  if (sqlstate == "25006") return ReadOnly();
  if (sqlstate == "42P01" || sqlstate == "42703" || sqlstate == "3F000") return error(OUTBOX_BAD_CONFIG, sql::kMigrate);
  if (IsDenied(sqlstate)) return error(OUTBOX_BAD_CONFIG, Grants(tables, "<the relay's role>"));
  if (sqlstate == "P0001") return error(OUTBOX_BAD_CONFIG);  // raised by the schema's own statements
  if (family == "28" || sqlstate == "3D000") return error(OUTBOX_BAD_CONFIG, "correct 'connection'");
  if (sqlstate == "22021")
    return error(OUTBOX_BAD_DATA,
                 "a text column holds no such bytes; for payloads run: outbox-relay migrate --payload bytea");
  if (family == "22" || family == "23") return error(OUTBOX_BAD_DATA);
  if (sqlstate == "42P05")
    return error(OUTBOX_UNAVAILABLE,
                 "this is somebody else's session: connect past the pooler, or to one in session mode");
  if (sqlstate == "26000" || sqlstate == "0A000") return error(OUTBOX_UNAVAILABLE);  // the session is not what it was
  if (family == "08" || family == "53" || family == "57" || family == "58" || IsConflict(sqlstate) || sqlstate.empty())
    return error(OUTBOX_UNAVAILABLE);
  return error(OUTBOX_INTERNAL);
}

}  // namespace outbox::postgres
