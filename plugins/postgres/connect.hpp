// Opens a connection: completes the operator's connection string, and explains why a connection failed.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "outbox/event.hpp"
#include "outbox/secrets.hpp"

namespace outbox::postgres {

// Completes the operator's connection string (keyword=value or postgresql://) with settings that it leaves open: limits
// on the time to wait for a peer that has gone silent, and the name of the program. Secrets are inserted after the
// string has been parsed, so that none is interpreted as syntax; only a secret that is the whole string is parsed. Does
// no I/O.
//
// Errors: throws OUTBOX_BAD_CONFIG without showing the string, which may hold a password.
std::string CompleteConnection(const std::string& connection, const Secrets& secrets);

struct Finish {
  void operator()(PGconn* c) const { PQfinish(c); }
};
using Native = std::unique_ptr<PGconn, Finish>;

// Connects. For each host, the attempt takes no longer than connect_timeout.
//
// Errors: throws OUTBOX_BAD_CONFIG if the server refuses this user, has no such database, or lacks the TLS that is
// required; otherwise OUTBOX_UNAVAILABLE.
Native Connect(const std::string& complete);

// Quotes a value for a connection string.
std::string Quoted(const std::string& value);

// The functions return SQL that applies the settings for planning and waiting, and the time limits in milliseconds.
// SessionSettings() returns statements for a session that the relay owns, SettingsOfCall() one query whose settings end
// with its transaction, and SettingsOfScript() statements that precede a script and end with its transaction.
std::string SessionSettings();
struct Limits {
  Millis statement{0}, locks{0};  // zero = no limit
  bool operator==(const Limits&) const = default;
};
std::string SettingsOfCall(const Limits& limits);
std::string SettingsOfScript(const Limits& limits);

}  // namespace outbox::postgres
