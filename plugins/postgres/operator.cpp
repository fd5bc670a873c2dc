#include "postgres/operator.hpp"

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include "postgres/errors.hpp"

namespace outbox::postgres {
namespace {

// The server's primary message. Never what(): SOCI adds the values that were bound; and no line after the first, where
// the server quotes the row.
std::string Primary(const soci::soci_error& error) {
  const std::string text = error.get_error_message(), before = "Fatal error. ";
  const auto from = text.find(before);
  const std::string message = from == std::string::npos ? text : text.substr(from + before.size());
  const auto severity = message.find(":  ");
  const auto start = severity == std::string::npos ? 0 : severity + 3;
  return message.substr(start, message.find('\n', start) - start);
}

std::unique_ptr<soci::session> Open(const std::string& connection) {
  try {
    return std::make_unique<soci::session>(soci::postgresql, connection);
  } catch (const soci::soci_error& error) {
    throw Error(OUTBOX_UNAVAILABLE, "PostgreSQL: " + Primary(error));
  }
}

}  // namespace

Operator::Operator(const std::string& connection, const sql::Tables& tables)
    : session_(Open(connection)), tables_(tables) {}

Operator::~Operator() = default;

void Operator::Begin(Millis timeout) { (void)Run({"set statement_timeout = " + std::to_string(timeout.count()), {}}); }

sql::Rows Operator::Run(const sql::Statement& statement) {
  try {
    return sql::RunBySoci(*session_, statement);
  } catch (const soci::postgresql_soci_error& error) {
    throw Explain(tables_, error.sqlstate(), Primary(error));
  } catch (const soci::soci_error& error) {
    throw Error(OUTBOX_INTERNAL, "SOCI: " + error.get_error_message());
  }
}

std::vector<sql::Rows> Operator::RunTogether(const std::vector<sql::Statement>& statements) {
  soci::transaction transaction(*session_);  // rolls back unless committed
  std::vector<sql::Rows> all;
  all.reserve(statements.size());
  for (const sql::Statement& statement : statements) all.push_back(Run(statement));
  transaction.commit();
  return all;
}

}  // namespace outbox::postgres
