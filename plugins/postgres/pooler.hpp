// Is this session the relay's own? A pooler between the relay and the server may give each transaction another one, and
// then settings, prepared statements and notifications end up with somebody else.
#pragma once

#include <chrono>
#include <string>

#include "outbox/event.hpp"
#include "postgres/client.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

enum class Pooling {
  kNone,         // the server itself answers
  kSession,      // through a pooler, which as far as can be seen keeps the session for this connection
  kTransaction,  // each transaction may have another session
  kStatement     // each statement may
};

// Makes no setting in any session. A pooler is recognised by the process number in its greeting, which is not the
// server's; its mode by a second connection, which waits for at most `timeout`: two connections that are given the same
// session share it. Where the pool is busy that is likely and not certain, so SessionGuard goes on looking.
[[nodiscard]] Pooling FindPooling(Client& client, const std::string& connection, const sql::Tables& tables,
                                  Millis timeout);

// For people: what the relay is connected through, and what it needs instead.
inline constexpr const char* kNeedsSession =
    "connect past the pooler, or to a pool in session mode: the relay's prepared statements, settings and notifications"
    " live as long as its session";
[[nodiscard]] std::string Describe(Pooling pooling);

class SessionGuard {
 public:
  SessionGuard() = default;
  // Throws BAD_CONFIG where the session is not kept.
  SessionGuard(Client& client, const std::string& connection, const sql::Tables& tables, Millis timeout);
  // Before a call: through a pooler, once a second, that the session is still the same one.
  void Verify(Client& client);
  // At the end: a pooler may hand the session on as it is, although a pool in session mode should reset it.
  void Leave(Client& client) const noexcept;

 private:
  bool pooled_ = false;
  std::string pid_;
  std::chrono::steady_clock::time_point verified_;
};

}  // namespace outbox::postgres
