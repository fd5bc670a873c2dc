// The options of the plugin, and the connect string for SOCI.
#pragma once

#include <memory>
#include <string>

#include "outbox/secrets.hpp"
#include "sql/source.hpp"

namespace outbox::mysql {

// The protection of the connection, which the option "tls" sets.
enum class Tls {
  kOff,      // plain text
  kRequire,  // encrypted, but the server's certificate is not verified
  kVerify,   // encrypted, and the certificate is valid and belongs to the host
};

struct Options {
  // Parses the options, and fills in the current values of the secrets. Errors: throws OUTBOX_BAD_CONFIG, which names
  // the option and never shows its value.
  Options(const std::string& json, const Secrets& secrets);

  std::string host, port, socket, user, password, database;
  Tls tls = Tls::kOff;
  std::string tls_ca, tls_cert, tls_key;
  std::string table;
  std::shared_ptr<const sql::Source> captured;  // set if `table` is a captured table; null = `table` is the outbox

  // Returns a connect string for SOCI. No read or write waits longer than `seconds` for the next bytes.
  [[nodiscard]] std::string ForSoci(unsigned seconds) const;
};

}  // namespace outbox::mysql
