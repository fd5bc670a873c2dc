// Classifies the errors of the server and of its client library, and words them for people.
#pragma once

#include <cstdint>
#include <string>

#include "outbox/event.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

inline constexpr std::int32_t kLockTimeout = 1205;
// The number of MariaDB's error. MySQL has no time limit for a statement that writes.
inline constexpr std::int32_t kStatementTimeout = 1969;

// True if another transaction was in the way. This transaction has been rolled back, or must be, and may be repeated.
[[nodiscard]] bool IsConflict(unsigned number);
// True if the connection is lost or cannot be used any more.
[[nodiscard]] bool IsLost(unsigned number);
// True if the user lacks a privilege.
[[nodiscard]] bool IsDenied(unsigned number);

// Returns the server's message without values, which some messages quote.
[[nodiscard]] std::string Redacted(unsigned number, const std::string& message);

// Returns the error for a statement that has failed. `message` is the server's own; the error contains it without
// values. The text of an OUTBOX_BAD_CONFIG names the fix.
[[nodiscard]] Error Explain(const sql::Tables& tables, unsigned number, const std::string& sqlstate,
                            const std::string& message);
// Returns the error for an attempt to connect that has failed.
[[nodiscard]] Error ExplainConnect(const sql::Tables& tables, unsigned number, const std::string& message);

// True if the server refuses to change these rows because of what they contain, or because of what others have set up
// around the table (a foreign key, a trigger). It will refuse that again. `message` is the server's own.
[[nodiscard]] bool IsRefusal(const sql::Tables& tables, unsigned number, const std::string& message);

// Suffixes of the names of the two procedures that belong to the outbox of a captured table; see mysql/capture.hpp.
inline constexpr const char *kShowSuffix = "_source", *kTrySuffix = "_right";

// Returns the GRANT statements for the relay's user.
[[nodiscard]] std::string Grants(const sql::Tables& tables, const std::string& user);

}  // namespace outbox::mysql
