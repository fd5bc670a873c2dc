// Maps the SQLSTATE of an error to what the relay does about it.
#pragma once

#include <string>

#include "outbox/event.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// A lock, or a statement, took longer than its limit. The second code also stands for a statement that was cancelled.
inline constexpr const char* kLockTimeout = "55P03";
inline constexpr const char* kStatementTimeout = "57014";

// Returns the error for a SQLSTATE. `message` must be the server's primary message alone, because detail and context
// quote rows. An error with OUTBOX_BAD_CONFIG contains its fix.
Error Explain(const sql::Tables& tables, const std::string& sqlstate, const std::string& message);

// Errors for a server or session that is read-only. They are OUTBOX_UNAVAILABLE, because this is a state and not a
// mistake in the configuration: the server may be a standby that is about to take over or may protect itself, or the
// session may have been set to read-only.
inline constexpr const char* kUsePrimary =
    "where it stays so, connect to the primary, with target_session_attrs=read-write and all hosts in 'connection'";
Error ReadOnly(const std::string& what, const std::string& fix);
Error ReadOnly();  // if the server could not be asked for the cause

// Reports whether the error is a transient conflict, after which the same statement is repeated at once.
bool IsConflict(const std::string& sqlstate);

bool IsDenied(const std::string& sqlstate);

// Reports whether the server refuses to change these rows because of their contents or because of something that
// others have added to the table, so that it would refuse again. `within_function`: a trigger or a function raised the
// error, not the statement itself.
bool IsRefusal(const std::string& sqlstate, bool within_function);

// Returns the GRANT statements for sql::RelayRights().
std::string Grants(const sql::Tables& tables, const std::string& role);

}  // namespace outbox::postgres
