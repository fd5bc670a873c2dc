// From SQLSTATE to what the relay does about it.
#pragma once

#include <string>

#include "outbox/event.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// `message` is the server's primary message alone: detail and context quote rows. BAD_CONFIG names what mends it.
Error Explain(const sql::Tables& tables, const std::string& sqlstate, const std::string& message);

// A state, not a mistake: a server that is about to take over, or that protects itself.
Error ReadOnly();

// Transient for the server: the same statement is tried again at once.
bool IsConflict(const std::string& sqlstate);

bool IsDenied(const std::string& sqlstate);

// What a role needs for run, as SQL.
std::string Grants(const sql::Tables& tables, const std::string& role);

}  // namespace outbox::postgres
