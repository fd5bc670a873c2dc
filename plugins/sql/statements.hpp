// The interface for ordinary statements. Only reads and confirms of events do not use this interface: they call the
// database's own client library.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace soci {
class session;
}

namespace outbox::sql {

using Value = std::optional<std::string>;
using Row = std::vector<Value>;
using Rows = std::vector<Row>;

// A statement with its parameters. A parameter is written :name; each occurs once, in the order of the values, and is
// bound as text. Columns are read as text, so the statement must cast them. REQUIRES: the SQL contains no other colon.
struct Statement {
  std::string sql;
  std::vector<Value> values;
};

class Statements {
 public:
  Statements() = default;
  virtual ~Statements() = default;
  Statements(const Statements&) = delete;
  Statements& operator=(const Statements&) = delete;

  virtual Rows Run(const Statement& statement) = 0;
  // Runs the statements in one transaction. Where the database allows it, they are sent together, so that no
  // transaction stays open while this process does something else.
  virtual std::vector<Rows> RunTogether(const std::vector<Statement>& statements) = 0;
};

// A connection to the database, as the shared adapter uses it. Thread: the thread of the session.
class Session : public Statements {
 public:
  virtual void Script(const std::string& sql) = 0;  // runs statements without parameters
  [[nodiscard]] virtual bool InTransaction() const = 0;
  // Returns true if a transaction is open and can be committed. A database that answers the commit of a failed
  // transaction with a silent rollback overrides this function, and returns false for such a transaction.
  [[nodiscard]] virtual bool CanCommit() const { return InTransaction(); }
  // Returns true if half of the time limit of the current call has passed.
  [[nodiscard]] virtual bool PastHalf() const = 0;
};

// Runs the statement through SOCI, so that every database with a SOCI backend can use it. Errors: throws what SOCI
// throws.
Rows RunBySoci(soci::session& session, const Statement& statement);

[[nodiscard]] long long ToNumber(const Value& value);  // converts a value; returns 0 for NULL

}  // namespace outbox::sql
