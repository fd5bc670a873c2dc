// What an operator asks for, through SOCI.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "outbox/event.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

class Operator : public sql::Statements {
 public:
  Operator(const std::string& connection, const sql::Tables& tables);
  ~Operator() override;
  void Begin(Millis timeout);  // of each call: the server's limit on each statement
  sql::Rows Run(const sql::Statement& statement) override;
  std::vector<sql::Rows> RunTogether(const std::vector<sql::Statement>& statements) override;

 private:
  const std::unique_ptr<soci::session> session_;
  const sql::Tables& tables_;
};

}  // namespace outbox::postgres
