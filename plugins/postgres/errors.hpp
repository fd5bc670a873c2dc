// From SQLSTATE to what the relay does about it.
#pragma once

#include <string>

#include "outbox/event.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// A wait for a lock, and a statement, that took longer than they may; the second also for one that somebody cancelled.
inline constexpr const char* kLockTimeout = "55P03";
inline constexpr const char* kStatementTimeout = "57014";

// `message` is the server's primary message alone: detail and context quote rows. BAD_CONFIG names what fixes it.
Error Explain(const sql::Tables& tables, const std::string& sqlstate, const std::string& message);

// A state, not a mistake: a server that is about to take over, or that protects itself, or a session that was set so.
inline constexpr const char* kUsePrimary =
    "where it stays so, connect to the primary, with target_session_attrs=read-write and all hosts in 'connection'";
Error ReadOnly(const std::string& what, const std::string& fix);
Error ReadOnly();  // where the server could not be asked which of these it is

// Transient for the server: the same statement is tried again at once.
bool IsConflict(const std::string& sqlstate);

bool IsDenied(const std::string& sqlstate);

// Does the server refuse this change of rows for what they are, or for what others have set up around the table? It will
// refuse it again. `within_function`: raised by a trigger or a function, not by the statement itself.
bool IsRefusal(const std::string& sqlstate, bool within_function);

// The sql::RelayRights() as SQL.
std::string Grants(const sql::Tables& tables, const std::string& role);

}  // namespace outbox::postgres
