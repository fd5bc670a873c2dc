// What an error of the server or of its client library means for the relay.
#pragma once

#include <cstdint>
#include <string>

#include "outbox/event.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

inline constexpr std::int32_t kLockTimeout = 1205;
inline constexpr std::int32_t kStatementTimeout = 1969;  // MariaDB's; MySQL has none for a statement that writes

// Another transaction was in the way; this one is undone, or must be, and may be tried again.
[[nodiscard]] bool IsConflict(unsigned number);
// The connection is gone, or no use any more.
[[nodiscard]] bool IsLost(unsigned number);
[[nodiscard]] bool IsDenied(unsigned number);

// The server's message without the values that some quote.
[[nodiscard]] std::string Redacted(unsigned number, const std::string& message);

// `message` is the server's own; it quotes no payload. A BAD_CONFIG names what fixes it.
[[nodiscard]] Error Explain(const sql::Tables& tables, unsigned number, const std::string& sqlstate,
                            const std::string& message);
// Of an attempt to connect.
[[nodiscard]] Error ExplainConnect(const sql::Tables& tables, unsigned number, const std::string& message);

// Does the server refuse this change of rows for what they are, or for what others have set up around the table (a foreign
// key, a trigger)? It will refuse it again. `message` is its own.
[[nodiscard]] bool IsRefusal(const sql::Tables& tables, unsigned number, const std::string& message);

// Of a captured table's outbox, two procedures: see mysql/capture.hpp.
inline constexpr const char *kShowSuffix = "_source", *kTrySuffix = "_right";

// What the relay's user needs.
[[nodiscard]] std::string Grants(const sql::Tables& tables, const std::string& user);

}  // namespace outbox::mysql
