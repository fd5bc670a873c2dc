// Opening a connection: what the relay adds to the operator's connection string, and why it failed.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

namespace soci {
class session;
}

namespace outbox::postgres {

// The operator's string (keyword=value or postgresql://) with what it leaves open: bounds on waiting for a peer that
// went silent, the name of the program. Does no I/O. Throws BAD_CONFIG without showing the string: it may hold a password.
std::string CompleteConnection(const std::string& connection);

// Throws BAD_CONFIG where the server refuses this user or knows no such database, else UNAVAILABLE. The session's settings
// are made: above all, plans that do not depend on what the tables held when they were first looked at.
std::unique_ptr<soci::session> Connect(const std::string& complete);

PGconn* NativeHandle(soci::session& session);

}  // namespace outbox::postgres
