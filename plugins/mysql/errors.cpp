#include "mysql/errors.hpp"

#include <algorithm>
#include <initializer_list>

namespace outbox::mysql {
namespace {

bool IsOneOf(unsigned number, std::initializer_list<unsigned> some) {
  return std::find(some.begin(), some.end(), number) != some.end();
}

Error Named(outbox_code code, unsigned number, const std::string& sqlstate, const std::string& message,
            const std::string& fix = "") {
  return {code, "MySQL: " + message + (fix.empty() ? "" : "; " + fix), sqlstate, static_cast<std::int32_t>(number)};
}

constexpr const char* kWhoLocks =
    "another transaction, LOCK TABLES or ALTER TABLE holds a lock: see information_schema.innodb_trx and 'show full "
    "processlist'";
constexpr const char* kWhatLasts =
    "the relay's time limit for a statement has passed; 'show full processlist' shows a statement that waits for LOCK "
    "TABLES or ALTER TABLE";

}  // namespace

// Returns the message with "..." in place of the quoted value, because some messages quote the value that did not fit,
// or the statement with all its values. The replaced part reaches from the first quotation mark to the last one before
// the description of the problem.
std::string Redacted(unsigned number, const std::string& message) {
  if (!IsOneOf(number, {1062, 1064, 1264, 1292, 1366})) return message;
  const auto first = message.find('\'');
  const auto last = std::min(message.rfind("' for "), message.rfind('\''));
  if (first == std::string::npos || last <= first) return message;
  return message.substr(0, first) + "..." + message.substr(last + 1);
}

// The error numbers mean: deadlock, lock wait timeout, a record that has changed since the last read, XA deadlock, a
// table definition that has changed.
bool IsConflict(unsigned number) { return IsOneOf(number, {1213, 1205, 1020, 1614, 1412}); }

// The numbers are all error numbers of the client library, and the error numbers of the server that mean: shutdown,
// aborted connection, bad handshake, a packet that did not arrive completely, killed connection, read and write errors,
// disconnected by the server.
bool IsLost(unsigned number) {
  return (number >= 2000 && number < 3000) ||
         IsOneOf(number, {1053, 1152, 1153, 1154, 1156, 1157, 1158, 1159, 1160, 1161, 1184, 1927, 4031});
}

// The error numbers mean that a privilege for this database, table, column, statement or procedure is missing.
bool IsDenied(unsigned number) { return IsOneOf(number, {1044, 1142, 1143, 1227, 1370}); }

// Every error number is a refusal except those listed below, because a trigger may signal any number. The listed
// numbers do not depend on the contents of the rows: conflicts, lost connections, timeouts, a read-only server, a lack
// of resources, a damaged table, and mistakes in the relay's own statements. A missing table, or a missing privilege
// for a table, is a refusal unless the table is one of the relay's own.
bool IsRefusal(const sql::Tables& t, unsigned number, const std::string& message) {
  const auto names = [&message](const std::string& name) {
    const auto ends = [](char c) { return c == '\'' || c == '`' || c == '.'; };
    for (auto at = message.find(name); at != std::string::npos; at = message.find(name, at + 1)) {
      const auto end = at + name.size();
      if (at > 0 && ends(message[at - 1]) && end < message.size() && ends(message[end])) return true;
    }
    return false;
  };
  if (number == 0 || IsConflict(number) || IsLost(number)) return false;
  if (IsOneOf(number, {1142, 1143, 1146})) return !names(t.event_name) && !names(t.prefix + "_retry");
  return !IsOneOf(number, {3,    1021, 1030, 1034, 1035, 1037, 1038, 1040, 1041, 1044, 1045, 1046, 1047,
                           1049, 1054, 1064, 1114, 1129, 1153, 1194, 1195, 1203, 1205, 1226, 1290, 1317,
                           1615, 1665, 1792, 1812, 1813, 1815, 1836, 1877, 1932, 1969, 3024, 3572});
}

std::string Grants(const sql::Tables& t, const std::string& user) {
  const auto grant = [&user](const char* what, const std::string& table) {
    return std::string("grant ") + what + " on " + table + " to " + user + ";";
  };
  return grant("select, delete", t.event) + " " + grant("select, insert, update, delete", t.retry) + " " +
         grant("select, insert, update, delete", t.relay) + " " + grant("select, insert, delete", t.dead) + " " +
         grant("select, update", t.shard) + " " + grant("select, update", t.meta) +
         (t.captured ? " " + grant("execute", "procedure " + t.Quote(t.event_name + kShowSuffix)) + " " +
                           grant("execute", "procedure " + t.Quote(t.event_name + kTrySuffix))
                     : "");
}

Error Explain(const sql::Tables& tables, unsigned number, const std::string& sqlstate, const std::string& message) {
  const auto error = [&](outbox_code code, const std::string& fix = "") {
    return Named(code, number, sqlstate, Redacted(number, message), fix);
  };
  if (IsDenied(number)) return error(OUTBOX_BAD_CONFIG, Grants(tables, "<the relay's user>"));
  switch (number) {
    case kLockTimeout:
    case kStatementTimeout:
    case 3024:  // MySQL: max_execution_time
      return error(OUTBOX_TIMEOUT, number == static_cast<unsigned>(kLockTimeout) ? kWhoLocks : kWhatLasts);
    case 3572:  // a lock that was not obtained with NOWAIT
    case 1317:  // the statement was killed
      return error(OUTBOX_TIMEOUT);
    case 1290:  // "running with the ... option": read-only, or a limit
    case 1836:
      if (number == 1290 && message.find("read-only") == std::string::npos &&
          message.find("read_only") == std::string::npos)
        return error(OUTBOX_UNAVAILABLE);
      return error(
          OUTBOX_UNAVAILABLE,
          "the server is read-only, so delivered events could not be confirmed; if it stays read-only, set 'host' to"
          " the server that accepts writes, or run: set global read_only = off;");
    case 1792:
      // The relay does not override transaction_read_only, because somebody may have set it in order to stop writes.
      return error(OUTBOX_UNAVAILABLE,
                   "the session is read-only, so delivered events could not be confirmed: transaction_read_only"
                   " (MariaDB: tx_read_only) is on for new sessions; remove it from the server's init_connect, or run:"
                   " set global transaction_read_only = off; (MariaDB: tx_read_only)");
    case 1146:  // no such table
    case 1054:  // no such column
    case 1305:  // no such procedure
      return error(OUTBOX_BAD_CONFIG, sql::kMigrate);
    case 1049:
      return error(OUTBOX_BAD_CONFIG, "correct 'database'");
    case 1419:  // no privilege to create a trigger while the server writes a binary log
      return error(OUTBOX_BAD_CONFIG,
                   "run migrate as a user with the privilege SUPER, or run:"
                   " set global log_bin_trust_function_creators = 1;");
    case 1449:  // the user who owns a trigger or a procedure does not exist
      return error(OUTBOX_BAD_CONFIG, sql::kMigrate);
    case 1665:
      return error(OUTBOX_BAD_CONFIG, "set global binlog_format = 'ROW';");
    case 1153:
    case 2020:
      return error(OUTBOX_BAD_DATA, "raise the server's max_allowed_packet");
    case 1048:  // NULL in a column that is NOT NULL
    case 1062:  // a duplicate key
    case 1264:
    case 1265:
    case 1292:
    case 1366:  // invalid text
    case 1406:  // too long for the column
    case 3140:  // invalid JSON
    case 3141:
    case 3144:  // bytes for a JSON column
    case 3819:
    case 4025:  // a check constraint, such as MariaDB's for JSON
      return error(OUTBOX_BAD_DATA);
    default:
      break;
  }
  // The numbers listed here mean: no disk space, no memory, too many connections, Galera is not ready.
  if (IsConflict(number) || IsLost(number) ||
      IsOneOf(number, {3, 1021, 1037, 1038, 1040, 1041, 1047, 1114, 1129, 1203, 1226, 1615}))
    return error(OUTBOX_UNAVAILABLE);
  return error(OUTBOX_INTERNAL);
}

Error ExplainConnect(const sql::Tables& tables, unsigned number, const std::string& message) {
  const auto has = [&message](const char* part) { return message.find(part) != std::string::npos; };
  // The user cannot log in: wrong password, another authentication method, not from this host, account locked, password
  // expired.
  if (IsOneOf(number, {1045, 1130, 1251, 1524, 1698, 1820, 1862, 2059, 3118}))
    return Named(OUTBOX_BAD_CONFIG, number, "", message,
                 "correct 'user' and 'password', or the user's privileges and 'tls'");
  if (number == 1049) return Named(OUTBOX_BAD_CONFIG, number, "", message, "correct 'database'");
  // The server also reports 1044 if the database does not exist.
  if (number == 1044)
    return Named(OUTBOX_BAD_CONFIG, number, "", message,
                 "correct 'database', or run in it: " + Grants(tables, "<the relay's user>"));
  if (number == 3159 || number == 4151)
    return Named(OUTBOX_BAD_CONFIG, number, "", message, "set 'tls' to verify (or to require)");
  // The client library reports all problems with TLS under one number, 2026. If the peer merely closes the connection,
  // the number does not show that the configuration is wrong.
  const bool passing = has("Too many open files") || has("Cannot allocate memory");
  if (number == 2026 && !passing && (has("ertificate") || has("ertification") || has("does not support")))
    return Named(OUTBOX_BAD_CONFIG, number, "", message,
                 "correct 'tls', 'tls_ca' and 'host', or the server's certificate");
  // If init_connect fails, the server closes the connection after the first statement.
  if (has("init_connect"))
    return Named(OUTBOX_UNAVAILABLE, number, "", message,
                 "the server's init_connect fails for this user: see the server's error log, and correct"
                 " @@global.init_connect");
  return Named(OUTBOX_UNAVAILABLE, number, "", message);
}

}  // namespace outbox::mysql
