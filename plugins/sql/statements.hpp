// Ordinary statements: everything but reading and confirming events, which use the database's own handle.
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

// Parameters are written :name, each once, in the order of the values; they are bound as text. Columns are read as text:
// cast them. No other colon may stand in the SQL.
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
  // In one transaction, which the adapter's process does not hold open between them where the database can help it.
  virtual std::vector<Rows> RunTogether(const std::vector<Statement>& statements) = 0;
};

// A connection to the database, as the shared adapter uses it. Thread: that of the session.
class Session : public Statements {
 public:
  virtual void Script(const std::string& sql) = 0;  // statements without parameters
  [[nodiscard]] virtual bool InTransaction() const = 0;
  // False also in a transaction that has failed, where the database would answer a commit with a silent rollback.
  [[nodiscard]] virtual bool CanCommit() const { return InTransaction(); }
  [[nodiscard]] virtual bool PastHalf() const = 0;  // of the time that the call under way may take
};

// Through SOCI, so that every database with a SOCI backend has it. Throws what SOCI throws.
Rows RunBySoci(soci::session& session, const Statement& statement);

[[nodiscard]] long long ToNumber(const Value& value);  // 0 for NULL

}  // namespace outbox::sql
