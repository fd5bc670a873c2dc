#include "mysql/options.hpp"

#include <algorithm>

#include "outbox/event.hpp"
#include "sql/options.hpp"

namespace outbox::mysql {
namespace {

[[noreturn]] void Refuse(const std::string& text) { throw Error(OUTBOX_BAD_CONFIG, "options: " + text); }

bool IsLocal(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

bool IsPort(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 5 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits && std::stoi(text) > 0 && std::stoi(text) < 65'536;
}

// Returns a value in quotes, in the syntax of SOCI's connect string.
std::string InQuotes(const std::string& value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// Returns a value in braces, in the syntax of a list of options for MariaDB's client library.
std::string InBraces(const std::string& value) {
  std::string braced = "{";
  for (const char c : value) {
    if (c == '}') braced += c;
    braced += c;
  }
  return braced + "}";
}

}  // namespace

Options::Options(const std::string& json, const Secrets& secrets) {
  auto read = sql::ReadOptions(json,
                               {{"host", "127.0.0.1"},
                                {"port", "3306", true},
                                {"socket", ""},
                                {"user", {}},
                                {"password", ""},
                                {"database", {}},
                                {"tls", ""},
                                {"tls_ca", ""},
                                {"tls_cert", ""},
                                {"tls_key", ""},
                                {"table", "outbox_event"}},
                               sql::Capture::kMayCapture);
  for (auto& [key, value] : read) value = secrets.Fill(value);
  secrets.Hide(read["password"]);
  host = read["host"], port = read["port"], socket = read["socket"];
  user = read["user"], password = read["password"], database = read["database"];
  tls_ca = read["tls_ca"], tls_cert = read["tls_cert"], tls_key = read["tls_key"];
  table = read["table"];
  captured = sql::ReadSource(json, /*ignore_case=*/true);
  for (const auto& [key, value] : read)
    if (value.find('\0') != std::string::npos) Refuse("'" + key + "' contains a NUL character");
  for (const char* key : {"host", "user", "database"})
    if (read[key].empty()) Refuse(std::string("'") + key + "' is empty");
  if (!IsPort(port)) Refuse("'port' must be a number from 1 to 65535");

  const std::string& mode = read["tls"];
  if (mode.empty())
    tls = !socket.empty() || IsLocal(host) ? Tls::kOff : Tls::kVerify;
  else if (mode == "off")
    tls = Tls::kOff;
  else if (mode == "require")
    tls = Tls::kRequire;
  else if (mode == "verify")
    tls = Tls::kVerify;
  else
    Refuse("'tls' must be off, require or verify");
  const bool unused = tls == Tls::kOff && !(tls_ca + tls_cert + tls_key).empty();
  if (unused) Refuse("'tls_ca', 'tls_cert' and 'tls_key' need 'tls' to be require or verify");
  if (tls_cert.empty() != tls_key.empty()) Refuse("'tls_cert' and 'tls_key' must be set together");
}

// SOCI has no option that requires TLS or verifies the name of the host. The client library interprets a host that
// contains '=' as a list of options, so the TLS options are passed in place of the host.
std::string Options::ForSoci(unsigned seconds) const {
  std::string library;
  const auto add = [&library](const char* key, const std::string& value) {
    if (!value.empty()) library.append(key).append("=").append(InBraces(value)).append(";");
  };
  if (socket.empty()) add("host", host);
  if (tls != Tls::kOff) {
    add("ssl-enforce", "1");
    if (tls == Tls::kVerify) add("ssl-verify-server-cert", "1");
    add("ssl-ca", tls_ca);
    add("ssl-cert", tls_cert);
    add("ssl-key", tls_key);
  }
  const std::string limit = std::to_string(seconds);
  std::string text = library.empty() ? "" : "host=" + InQuotes(library);
  text += socket.empty() ? " port=" + port : " unix_socket=" + InQuotes(socket);
  return text + " user=" + InQuotes(user) + " password=" + InQuotes(password) + " db=" + InQuotes(database) +
         " charset=utf8mb4 connect_timeout=5 read_timeout=" + limit + " write_timeout=" + limit;
}

}  // namespace outbox::mysql
