// What an operator asks for, through SOCI.
#pragma once

#include <vector>

#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

class Operator : public sql::Statements {
 public:
  Operator(soci::session& session, const sql::Tables& tables) : session_(session), tables_(tables) {}
  sql::Rows Run(const sql::Statement& statement) override;
  std::vector<sql::Rows> RunTogether(const std::vector<sql::Statement>& statements) override;

 private:
  soci::session& session_;
  const sql::Tables& tables_;
};

}  // namespace outbox::postgres
