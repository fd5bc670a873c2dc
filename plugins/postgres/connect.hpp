// Opening a connection: what the relay adds to the operator's connection string, and why it failed.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "outbox/event.hpp"
#include "outbox/secrets.hpp"

namespace outbox::postgres {

// The operator's string (keyword=value or postgresql://) with what it leaves open: bounds on waiting for a peer that
// went silent, the name of the program. The secrets are filled in after the string was parsed, so none is read as syntax,
// unless a secret is the whole string. Does no I/O. Throws BAD_CONFIG without showing the string: it may hold a password.
std::string CompleteConnection(const std::string& connection, const Secrets& secrets);

struct Finish {
  void operator()(PGconn* c) const { PQfinish(c); }
};
using Native = std::unique_ptr<PGconn, Finish>;

// Throws BAD_CONFIG where the server refuses this user, knows no such database or has not the TLS that is asked for, else
// UNAVAILABLE. Returns in any case, after connect_timeout for each host.
Native Connect(const std::string& complete);

// As a value of a connection string.
std::string Quoted(const std::string& value);

// How the server is to plan and to wait, and for how long at most. As statements for a session that the relay owns; as one
// query whose settings end with its transaction; and, in front of a script, as statements that end with its transaction.
std::string SessionSettings();
struct Limits {
  Millis statement{0}, locks{0};  // zero: none
  bool operator==(const Limits&) const = default;
};
std::string SettingsOfCall(const Limits& limits);
std::string SettingsOfScript(const Limits& limits);

}  // namespace outbox::postgres
