// Classifies the errors of the server and of its client library, and words them for people.
#pragma once

#include <cstdint>
#include <string>

#include "outbox/event.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

inline constexpr std::int32_t kLockTimeout = 1205;
// MariaDB's error number for a statement that has exceeded its time limit. MySQL has no time limit for a statement that
// writes.
inline constexpr std::int32_t kStatementTimeout = 1969;

// Returns true if the error number means a conflict with another transaction. The failed transaction has been rolled
// back, or must be, and may be repeated.
[[nodiscard]] bool IsConflict(unsigned number);
// Returns true if the error number means that the connection is lost or cannot be used any more.
[[nodiscard]] bool IsLost(unsigned number);
// Returns true if the error number means that the user lacks a privilege.
[[nodiscard]] bool IsDenied(unsigned number);

// Returns the server's message without the values that some messages quote.
[[nodiscard]] std::string Redacted(unsigned number, const std::string& message);

// Returns the error for a statement that has failed. `message` is the message of the server, which the error repeats
// without values. The text of an OUTBOX_BAD_CONFIG names the fix.
[[nodiscard]] Error Explain(const sql::Tables& tables, unsigned number, const std::string& sqlstate,
                            const std::string& message);
// Returns the error for a failed attempt to connect.
[[nodiscard]] Error ExplainConnect(const sql::Tables& tables, unsigned number, const std::string& message);

// Returns true if the server refuses to change these rows because of their contents, or because of objects that others
// have added to the table (a foreign key, a trigger). The server will then refuse the same change again. `message` is
// the message of the server.
[[nodiscard]] bool IsRefusal(const sql::Tables& tables, unsigned number, const std::string& message);

// Suffixes of the names of the two procedures that belong to the outbox of a captured table; see mysql/capture.hpp.
inline constexpr const char *kShowSuffix = "_source", *kTrySuffix = "_right";

// Returns the GRANT statements for the relay's user.
[[nodiscard]] std::string Grants(const sql::Tables& tables, const std::string& user);

}  // namespace outbox::mysql
