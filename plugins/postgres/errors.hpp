// Determines from the SQLSTATE of an error how the relay reacts to the error.
#pragma once

#include <string>

#include "outbox/event.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// PostgreSQL reports these SQLSTATEs when a wait for a lock or a statement exceeds its time limit. It also reports
// kStatementTimeout when a statement is cancelled.
inline constexpr const char* kLockTimeout = "55P03";
inline constexpr const char* kStatementTimeout = "57014";

// Returns the error for a SQLSTATE. `message` must contain only the server's primary message, because detail and
// context quote rows. An error with OUTBOX_BAD_CONFIG contains its fix.
Error Explain(const sql::Tables& tables, const std::string& sqlstate, const std::string& message);

// Errors for a server or session that is read-only. They are OUTBOX_UNAVAILABLE, because being read-only is a state and
// not a mistake in the configuration: the server may be a standby that is about to take over or may protect itself, or
// the session may have been set to read-only.
inline constexpr const char* kUsePrimary =
    "if it stays read-only, connect to the primary, with target_session_attrs=read-write and all hosts in 'connection'";
Error ReadOnly(const std::string& what, const std::string& fix);
Error ReadOnly();  // for a server that could not be queried for the cause

// Returns true if the error is a transient conflict, after which the same statement is repeated at once.
bool IsConflict(const std::string& sqlstate);

bool IsDenied(const std::string& sqlstate);

// Returns true if the server refuses to change these rows because of their contents, or because of something that
// others have added to the table, and so refuses the same change every time. `within_function` is true if the error was
// raised by a trigger or a function and not by the statement itself.
bool IsRefusal(const std::string& sqlstate, bool within_function);

// Returns the GRANT statements for sql::RelayRights().
std::string Grants(const sql::Tables& tables, const std::string& role);

}  // namespace outbox::postgres
