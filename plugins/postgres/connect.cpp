#include "postgres/connect.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "outbox/event.hpp"

namespace outbox::postgres {
namespace {

// The client encoding, which an operator cannot choose: texts are UTF-8 in Kafka, whatever the server stores and
// whatever 'connection' says.
constexpr const char* kEncoding = "client_encoding";

std::map<std::string, std::string> Defaults() {
  return {
      {"fallback_application_name", "outbox-relay"},
      {kEncoding, "UTF8"},
      {"connect_timeout", "5"},
      {"keepalives_idle", "5"},
      {"keepalives_interval", "2"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "10000"},
  };
}

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

Options Parse(const std::string& connection) {
  char* text = nullptr;
  Options options(PQconninfoParse(connection.c_str(), &text), PQconninfoFree);
  PQfreemem(text);  // libpq's message is not shown, because it quotes a part of the string
  if (!options)
    throw Error(OUTBOX_BAD_CONFIG,
                "options: 'connection' is neither a list such as \"host=db dbname=shop\" nor a postgresql:// address;"
                " put a value with spaces in single quotes in a list, and percent-encode it in an address; a secret"
                " may be the value of an option, or all of 'connection'");
  return options;
}

// Refuses an address with an "@" or "/" in an unexpected place. libpq splits an address in the wrong places if its
// password contains one of these characters, and then shows parts of the password as a host, a port or a database.
void CheckAddress(const std::string& connection) {
  const auto scheme = connection.find("://");
  if (!connection.starts_with("postgres") || scheme == std::string::npos) return;
  const std::string_view rest = std::string_view(connection).substr(scheme + 3);
  const auto path = rest.find('/'), first = rest.find('@'), last = rest.substr(0, rest.rfind('?')).rfind('@');
  if (last == std::string_view::npos || (first == last && first < path)) return;
  throw Error(OUTBOX_BAD_CONFIG,
              "options: 'connection' is an address with an \"@\" or \"/\" in an unexpected place; percent-encode user"
              " and password (@ is %40, / is %2F, % is %25), or write ${env:NAME} or ${file:PATH} for the password"
              " alone, which needs no encoding");
}

void CheckValue(const std::string& keyword, const std::string& value) {
  const auto is_port = [](char c) { return (c >= '0' && c <= '9') || c == ','; };
  if (keyword == "port" && !std::all_of(value.begin(), value.end(), is_port))
    throw Error(OUTBOX_BAD_CONFIG,
                "options: the port in 'connection' is not a number (it is not shown, because it may be a part of a"
                " password; in an address, user and password must be percent-encoded)");
}

// Escapes blanks and backslashes in a secret that is a part of "options", where a blank begins the next option of the
// server.
std::string InOptions(const std::string& secret) {
  std::string escaped;
  for (const char c : secret) {
    if (c == '\\' || c == ' ' || c == '\t' || c == '\n' || c == '\r') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

bool IsSecret(std::string_view keyword) {
  return keyword == "password" || keyword == "sslpassword" || keyword == "oauth_client_secret";
}

// Removes the value from a message of libpq, which quotes a value that it does not accept.
std::string HideValue(const std::string& line) {
  const auto invalid = line.find("invalid ");
  if (invalid == std::string::npos) return line;
  const auto from = line.find('"', invalid), option = line.rfind("\" for connection option"), last = line.rfind('"');
  if (from == std::string::npos || last == from) return line;
  return line.substr(0, from) + "<hidden>" + line.substr((option != std::string::npos ? option : last) + 1);
}

// Joins the lines of a message and removes repetitions: libpq tries with TLS and without, and reports everything
// twice.
std::string OneLine(const std::string& text) {
  std::string joined, before;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line); before = line) {
    line.erase(0, line.find_first_not_of("\t "));
    if (!line.empty() && line != before) joined += (joined.empty() ? "" : "; ") + HideValue(line);
  }
  return joined;
}

// Returns true if the line describes a cause that a person has to fix: it contains the SQLSTATE of a server's refusal,
// which libpq shows in its verbose text, or libpq's own message about the server's TLS or about a value in
// 'connection'.
bool IsRefusal(const std::string& line) {
  constexpr std::array kSigns{
      "  28000: ", "  28P01: ", "  3D000: ", "does not support SSL", "certificate", "for connection option",
      "invalid port number",
      // If 'connection' names no user, libpq looks up the name of the process's user.
      "local user with ID",
      // These messages are about a value in 'connection' that libpq does not accept, or about a file named there that
      // it cannot use.
      "invalid sslmode value", "invalid channel_binding value", "invalid gssencmode value",
      "invalid require_auth value", "invalid target_session_attrs value", "invalid load_balance_hosts value",
      "invalid sslcertmode value", "invalid ssl_min_protocol_version value", "invalid ssl_max_protocol_version value",
      "invalid SSL protocol version range", "could not match", "could not parse network address",
      "could not load private key file", "has group or world access", "private key file",
      "SSL support is not compiled in", "definition of service", "service file", "Unix-domain socket path",
      "could not load library"};
  // Causes that disappear by themselves: no file descriptors, no memory.
  constexpr std::array kPassing{"Too many open files", "Cannot allocate memory", "out of memory"};
  const auto in_line = [&](const char* part) { return line.find(part) != std::string::npos; };
  if (std::any_of(kPassing.begin(), kPassing.end(), in_line)) return false;
  return std::any_of(kSigns.begin(), kSigns.end(), in_line);
}

// Returns true if every host that was tried has refused the connection. If there are several hosts, each has a line. A
// host that merely does not answer may be the right one, so the refusals of the others are then not final.
bool RefusedForGood(const std::string& text) {
  bool refused = false;
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (IsRefusal(line))
      refused = true;
    else if (line.find("connection to server") != std::string::npos)
      return false;
  }
  return refused;
}

// The planner settings of a session. A prepared plan that was made while the table was empty took 1634 ms for a query
// that takes 1 ms with an index. So the settings leave only plans that read an index in its order, without workers and
// without JIT compilation. quote_all_identifiers is off, because names of types are compared in their unquoted form.
using Settings = std::array<std::pair<const char*, const char*>, 8>;
constexpr Settings kSettings{{{"enable_seqscan", "off"},
                              {"enable_bitmapscan", "off"},
                              {"enable_sort", "off"},
                              {"enable_mergejoin", "off"},
                              {"enable_hashjoin", "off"},
                              {"jit", "off"},
                              {"max_parallel_workers_per_gather", "0"},
                              {"quote_all_identifiers", "off"}}};

}  // namespace

std::string Quoted(const std::string& value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// Returns the settings as statements. The last statement makes the server detect that the relay has disconnected while
// a statement of the relay waits for a lock. That setting, client_connection_check_interval, exists from version 14 on.
std::string SessionSettings() {
  std::string sql = "set plan_cache_mode = force_generic_plan;";
  for (const auto& [name, value] : kSettings) sql += std::string(" set ") + name + " = " + value + ";";
  return sql +
         " set default_transaction_isolation = 'read committed';"
         " select set_config(name, '2s', false) from pg_settings where name = 'client_connection_check_interval'";
}

std::string SettingsOfCall(const Limits& limits) {
  std::string sql = "select set_config('statement_timeout', '" + std::to_string(limits.statement.count()) +
                    "', true), set_config('lock_timeout', '" + std::to_string(limits.locks.count()) + "', true)";
  for (const auto& [name, value] : kSettings) sql += std::string(", set_config('") + name + "', '" + value + "', true)";
  return sql;
}

std::string SettingsOfScript(const Limits& limits) {
  std::string sql = "set transaction isolation level read committed; set local statement_timeout = " +
                    std::to_string(limits.statement.count()) +
                    "; set local lock_timeout = " + std::to_string(limits.locks.count()) + "; ";
  for (const auto& [name, value] : kSettings) sql += std::string("set local ") + name + " = " + value + "; ";
  return sql;
}

std::string CompleteConnection(const std::string& connection, const Secrets& secrets) {
  const std::string text = Secrets::IsMark(connection) ? secrets.Fill(connection) : connection;
  CheckAddress(text);
  const Options options = Parse(text);
  auto missing = Defaults();
  std::string complete;
  for (const PQconninfoOption* o = options.get(); o->keyword != nullptr; ++o) {
    if (o->val == nullptr) continue;
    const std::string keyword = o->keyword;
    if (keyword == kEncoding) continue;
    const std::string value = keyword == "options" ? secrets.Fill(o->val, InOptions) : secrets.Fill(o->val);
    if (IsSecret(keyword)) secrets.Hide(value);
    CheckValue(keyword, value);
    missing.erase(keyword);
    complete.append(keyword).append("=").append(Quoted(value)).append(" ");
  }
  for (const auto& [keyword, value] : missing) complete.append(keyword).append("=").append(value).append(" ");
  return complete;
}

Native Connect(const std::string& complete) {
  Native connection(PQconnectdb(complete.c_str()));
  if (!connection) throw Error(OUTBOX_UNAVAILABLE, "PostgreSQL: out of memory");
  if (PQstatus(connection.get()) == CONNECTION_OK) {
    // A SQL_ASCII server does not convert text, but it refuses to send text that is invalid in the client's encoding,
    // and one such row would hold up all others. So the client's encoding is set to SQL_ASCII too, and the bytes arrive
    // unchanged.
    const char* const encoding = PQparameterStatus(connection.get(), "server_encoding");
    if (encoding != nullptr && std::string_view(encoding) == "SQL_ASCII" &&
        PQsetClientEncoding(connection.get(), "SQL_ASCII") != 0)
      throw Error(OUTBOX_UNAVAILABLE, "PostgreSQL: " + OneLine(PQerrorMessage(connection.get())));
    return connection;
  }
  const std::string text = PQerrorMessage(connection.get());
  // A refusal by the server reads "SEVERITY:  reason". The connection is then tried again, because libpq shows the
  // SQLSTATE of a refusal only in its verbose text, and the server's messages may be in any language. All other
  // messages are libpq's own, and another attempt would only cost time.
  bool refused = PQconnectionNeedsPassword(connection.get()) != 0 || RefusedForGood(text);
  if (!refused && text.find(":  ") != std::string::npos) {
    PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
    PQreset(connection.get());
    refused = RefusedForGood(PQerrorMessage(connection.get()));
  }
  const char* const certificate = text.find("certificate verify failed") == std::string::npos
                                      ? ""
                                      : "; the server's certificate is not signed by an authority in sslrootcert, or "
                                        "has expired (libpq does not say"
                                        " which)";
  if (refused) throw Error(OUTBOX_BAD_CONFIG, "PostgreSQL: " + OneLine(text) + certificate + "; correct 'connection'");
  // With target_session_attrs=read-write libpq itself refuses a read-only session.
  const char* const read_only =
      text.find("session is read-only") == std::string::npos
          ? ""
          : "; the server is a standby, or default_transaction_read_only is on for the role, the"
            " database or the server";
  throw Error(OUTBOX_UNAVAILABLE, "PostgreSQL: " + OneLine(text) + read_only);
}

}  // namespace outbox::postgres
