// Checks whether the relay keeps one session of the server. A pooler between the relay and the server may give each
// transaction another session, and then settings, prepared statements and notifications end up with other clients.
#pragma once

#include <chrono>
#include <string>

#include "outbox/event.hpp"
#include "postgres/client.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

enum class Pooling {
  kNone,         // the connection leads to the server itself
  kSession,      // a pooler that, as far as can be determined, keeps the session for this connection
  kTransaction,  // a pooler that may use another session for each transaction
  kStatement     // a pooler that may use another session for each statement
};

// Determines whether the connection goes through a pooler, and the mode of that pooler. The function changes no setting
// in any session. A pooler is recognised by the process id in its greeting, which is not that of the server. Its mode
// is determined with a second connection, which waits for at most `timeout`: if the pooler gives both connections the
// same session, it shares sessions. In a busy pool that shares sessions, the two connections probably but not certainly
// get the same session, so SessionGuard keeps checking.
[[nodiscard]] Pooling FindPooling(Client& client, const std::string& connection, const sql::Tables& tables,
                                  Millis timeout);

// Message texts: kNeedsSession says which kind of connection the relay needs; Describe() names the pooler through which
// the relay is connected.
inline constexpr const char* kNeedsSession =
    "connect directly to the server, or to a pool in session mode: the relay's prepared statements, settings and"
    " notifications live as long as its session";
[[nodiscard]] std::string Describe(Pooling pooling);

class SessionGuard {
 public:
  SessionGuard() = default;
  // Checks that the connection keeps its session. Errors: throws OUTBOX_BAD_CONFIG if it does not.
  SessionGuard(Client& client, const std::string& connection, const sql::Tables& tables, Millis timeout);
  // Checks before a call, once per second and only through a pooler, that the session is still the same.
  void Verify(Client& client);
  // Resets the session when the relay gives it up. A pool in session mode should reset the session itself, but some
  // poolers pass it on to the next client unchanged.
  void Leave(Client& client) const noexcept;

 private:
  bool pooled_ = false;
  std::string pid_;
  std::chrono::steady_clock::time_point verified_;
};

}  // namespace outbox::postgres
