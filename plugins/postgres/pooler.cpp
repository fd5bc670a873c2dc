#include "postgres/pooler.hpp"

#include <algorithm>

namespace outbox::postgres {
namespace {

constexpr int kRounds = 3;
constexpr auto kVerifyEvery = std::chrono::seconds(1);
constexpr Millis kPatience{1000};  // limit for the second connection, which has to wait if the pool has no session left

std::string Pid(Client& client) {
  return client.Run({"select cast(pg_backend_pid() as text)", {}}).at(0)[0].value_or("");
}

Error NotKept(Pooling pooling) {
  return {OUTBOX_BAD_CONFIG, "PostgreSQL: " + Describe(pooling) + "; " + kNeedsSession};
}

// Returns true if the pooler is in statement mode: it then ends the connection when a transaction begins.
bool RefusesTransactions(Client& other) {
  try {
    other.Script("begin");
    return false;
  } catch (const Error& error) {
    if (error.code != OUTBOX_UNAVAILABLE) throw;
    return true;
  }
}

// Returns true if the two connections share sessions. While each has a session of its own, the process id of neither
// changes.
bool Share(Client& client, const std::string& pid, Client& other) {
  const std::string others = Pid(other);
  if (others == pid) return true;
  for (int i = 0; i < kRounds; ++i)
    if (Pid(client) != pid || Pid(other) != others || Pid(other) != others || Pid(client) != pid) return true;
  // A pool may hand out the session that was idle longest instead of the one that was used last. So the test is
  // repeated while a transaction holds one session.
  if (RefusesTransactions(other)) return true;
  const bool moved = Pid(other) != others || Pid(client) != pid;
  other.Script("rollback");
  return moved || Pid(client) != pid || Pid(other) != others;
}

}  // namespace

Pooling FindPooling(Client& client, const std::string& connection, const sql::Tables& tables, Millis timeout) {
  const std::string pid = Pid(client);
  if (pid == std::to_string(client.announced_pid())) return Pooling::kNone;
  try {
    Client other(Connect(connection + client.Address()), tables, std::min(timeout, kPatience));
    if (Share(client, pid, other)) return RefusesTransactions(other) ? Pooling::kStatement : Pooling::kTransaction;
  } catch (const Error& error) {
    // If the pooler provides no second session in time, it keeps the first session for this connection.
    if (error.code != OUTBOX_TIMEOUT && error.code != OUTBOX_UNAVAILABLE) throw;
  }
  return Pooling::kSession;
}

std::string Describe(Pooling pooling) {
  switch (pooling) {
    case Pooling::kNone:
      return "the server itself answers";
    case Pooling::kSession:
      return "the connection goes through a pooler that keeps a session for each connection (session mode)";
    case Pooling::kTransaction:
      return "the connection goes through a pooler that may run each transaction in another session (transaction mode)";
    case Pooling::kStatement:
      break;
  }
  return "the connection goes through a pooler that may run each statement in another session (statement mode)";
}

SessionGuard::SessionGuard(Client& client, const std::string& connection, const sql::Tables& tables, Millis timeout) {
  const Pooling pooling = FindPooling(client, connection, tables, timeout);
  if (pooling == Pooling::kTransaction || pooling == Pooling::kStatement) throw NotKept(pooling);
  pooled_ = pooling == Pooling::kSession;
  if (pooled_) pid_ = Pid(client);
  verified_ = std::chrono::steady_clock::now();
}

void SessionGuard::Leave(Client& client) const noexcept {
  if (!pooled_ || !client.owned()) return;
  try {
    client.Begin(kPatience);
    client.Script(client.InTransaction() ? "rollback" : "discard all");
  } catch (...) {  // the connection is lost, and the session with it
  }
}

void SessionGuard::Verify(Client& client) {
  const auto now = std::chrono::steady_clock::now();
  if (!pooled_ || client.InTransaction() || now - verified_ < kVerifyEvery) return;
  if (Pid(client) != pid_) throw NotKept(Pooling::kTransaction);
  verified_ = now;
}

}  // namespace outbox::postgres
