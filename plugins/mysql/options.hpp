// The plugin's own options, and what SOCI is to be told of them.
#pragma once

#include <memory>
#include <string>

#include "outbox/secrets.hpp"
#include "sql/source.hpp"

namespace outbox::mysql {

enum class Tls {
  kOff,      // plain text
  kRequire,  // encrypted, whoever answers
  kVerify,   // encrypted, and the certificate is valid and the host's
};

struct Options {
  // With the secrets as they are now. Throws OUTBOX_BAD_CONFIG naming the option, never showing its value.
  Options(const std::string& json, const Secrets& secrets);

  std::string host, port, socket, user, password, database;
  Tls tls = Tls::kOff;
  std::string tls_ca, tls_cert, tls_key;
  std::string table;
  std::shared_ptr<const sql::Source> captured;  // null = `table` is an outbox of the relay's own

  // A connect string for SOCI; no read or write waits longer than `seconds` for the next bytes.
  [[nodiscard]] std::string ForSoci(unsigned seconds) const;
};

}  // namespace outbox::mysql
