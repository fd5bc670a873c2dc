// Opening a connection: what the relay adds to the operator's connection string, and why it failed.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

namespace outbox::postgres {

// The operator's string (keyword=value or postgresql://) with what it leaves open: bounds on waiting for a peer that
// went silent, the name of the program. Does no I/O. Throws BAD_CONFIG without showing the string: it may hold a password.
std::string CompleteConnection(const std::string& connection);

struct Finish {
  void operator()(PGconn* c) const { PQfinish(c); }
};
using Native = std::unique_ptr<PGconn, Finish>;

// Throws BAD_CONFIG where the server refuses this user, knows no such database or has not the TLS that is asked for, else
// UNAVAILABLE. Returns in any case, after connect_timeout for each host.
Native Connect(const std::string& complete);

// To be run first on a new connection.
extern const char* const kSettings;

}  // namespace outbox::postgres
