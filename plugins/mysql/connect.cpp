#include "mysql/connect.hpp"

#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>

#include <charconv>

#include "mysql/errors.hpp"
#include "sql/sql_template.hpp"
#include "sql/statements.hpp"

namespace outbox::mysql {
namespace {

// The statements that set up a session. At REPEATABLE READ, the servers' default, an INSERT of the application would
// wait for the gaps that a DELETE of the relay locks. Times are read as UTC, whatever the server's time zone is. The
// rollback comes first, because the server's init_connect has run before and may have begun a transaction. The sql_mode
// omits the modes that would change the meaning of the relay's literals (ANSI_QUOTES, NO_BACKSLASH_ESCAPES), and
// refuses values that do not fit instead of truncating them.
constexpr const char* kSettings[] = {
    "rollback",
    "set session transaction isolation level read committed",
    "set session autocommit = 1, session completion_type = 'NO_CHAIN', session sql_safe_updates = 0,"
    " session sql_select_limit = 18446744073709551615,"
    " session time_zone = '+00:00',"
    " session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
};
// Keeps MariaDB from converting a long list of ids in a condition into a temporary table.
constexpr const char* kMariadbSettings = "set session in_predicate_conversion_threshold = 0";
constexpr const char* kCheck =
    "select @@session.[isolation], @@global.max_allowed_packet, @@global.lower_case_table_names";

int ParseVersion(const std::string& text) {
  int parts[3] = {0, 0, 0};
  const char* at = text.data();
  for (int& part : parts) {
    const auto parsed = std::from_chars(at, text.data() + text.size(), part);
    if (parsed.ec != std::errc() || *parsed.ptr != '.') break;
    at = parsed.ptr + 1;
  }
  return (parts[0] * 100 + parts[1]) * 100 + parts[2];
}

}  // namespace

sql::Tables TablesOf(const Options& options) {
  return sql::Tables(options.table, '`', /*ignore_case=*/true, options.captured);
}

Connected::Connected() = default;
Connected::Connected(Connected&&) noexcept = default;
Connected::~Connected() = default;

Connected Connect(const Options& options, Millis timeout) {
  Connected got;
  const auto seconds = std::max<std::int64_t>(1, (timeout.count() + 999) / 1000);
  try {
    // SOCI receives the factory object and not the name of a backend. For a name, SOCI would search for a shared
    // library, even in the working directory.
    got.session = std::make_unique<soci::session>(soci::mysql, options.ForSoci(static_cast<unsigned>(seconds)));
    got.native = static_cast<soci::mysql_session_backend*>(got.session->get_backend())->conn_;
    // If the server does not support TLS, the client library continues in plain text, unless the options also require
    // it to verify the certificate.
    if (options.tls != Tls::kOff && mysql_get_ssl_cipher(got.native) == nullptr)
      throw Error(OUTBOX_BAD_CONFIG,
                  "MySQL: the server does not support TLS; set up TLS on the server, or set 'tls' to off");
    // Some servers behind a proxy introduce themselves as 5.5.5-10.11.6-MariaDB. version() returns their own version.
    got.server.shown = sql::RunBySoci(*got.session, {"select version()", {}}).at(0).at(0).value_or("");
    got.server.is_mariadb = got.server.shown.find("MariaDB") != std::string::npos;
    got.server.version = ParseVersion(got.server.shown);
    for (const char* sql : kSettings) *got.session << sql;
    // The character set was requested when the connection was opened, but the server may have ignored the request, or
    // its init_connect may have changed the character set.
    if (mysql_set_character_set(got.native, "utf8mb4") != 0)
      throw ExplainConnect(TablesOf(options), mysql_errno(got.native), mysql_error(got.native));
    if (got.server.is_mariadb) *got.session << kMariadbSettings;
    const std::string isolation = got.server.is_mariadb ? "tx_isolation" : "transaction_isolation";
    const sql::Row set = sql::RunBySoci(*got.session, {sql::Fill(kCheck, {{"[isolation]", isolation}}), {}}).at(0);
    if (set.at(0) != "READ-COMMITTED")
      throw Error(OUTBOX_UNAVAILABLE, "MySQL: the isolation level of the session is " + set[0].value_or("?") +
                                          " although READ COMMITTED was set; a proxy that shares connections must keep"
                                          " their settings");
    got.server.max_packet = static_cast<std::size_t>(sql::ToNumber(set.at(1)));
    got.server.ignores_case = sql::ToNumber(set.at(2)) != 0;
  } catch (const soci::mysql_soci_error& error) {
    throw ExplainConnect(TablesOf(options), static_cast<unsigned>(error.err_num_), error.get_error_message());
  } catch (const soci::soci_error& error) {
    throw Error(OUTBOX_INTERNAL, "SOCI: " + error.get_error_message());
  }
  // Several statements are sent in one message, so a relay that is stopped at any moment leaves no open transaction.
  if (mysql_set_server_option(got.native, MYSQL_OPTION_MULTI_STATEMENTS_ON) != 0)
    throw Error(OUTBOX_UNAVAILABLE, std::string("MySQL: ") + mysql_error(got.native));
  return got;
}

}  // namespace outbox::mysql
