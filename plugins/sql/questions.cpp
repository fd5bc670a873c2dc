#include "sql/questions.hpp"

#include "sql/others.hpp"

namespace outbox::sql {
namespace {

void Replace(std::string& text, const std::string& place, const std::string& with) {
  for (auto at = text.find(place); at != std::string::npos; at = text.find(place, at + with.size()))
    text.replace(at, place.size(), with);
}

std::string Filled(const char* text, const Row& row) {
  std::string filled = text;
  for (std::size_t i = 1; i < row.size(); ++i) Replace(filled, '[' + std::to_string(i) + ']', row[i].value_or(""));
  return filled;
}

}  // namespace

Finding FindingOf(const Text& text, const Row& row) {
  Finding finding{row.at(0) == "error", Filled(text.what, row), Filled(text.fix, row)};
  finding.note = row[0] == "note";
  return finding;
}

std::vector<Finding> Ask(Statements& db, std::span<const Question> questions, const Places& places) {
  std::vector<Statement> statements;
  for (const Question& question : questions) {
    std::string sql = question.sql;
    for (const auto& [place, with] : places) Replace(sql, place, with);
    statements.push_back({std::move(sql), {}});
  }
  std::vector<Finding> findings;
  const auto answers = db.RunTogether(statements);
  for (std::size_t i = 0; i < questions.size(); ++i)
    for (const Row& row : answers.at(i)) findings.push_back(FindingOf(questions[i].text, row));
  return findings;
}

std::vector<Finding> FindLowIds(Statements& db, const Tables& tables, const char* fix) {
  const std::string shown = tables.schema.empty() ? tables.event_name : tables.schema + "." + tables.event_name;
  std::vector<Finding> findings;
  for (const Row& row : db.Run({tables.In(kLowIdsSql), {}}))
    findings.push_back(FindingOf(kLowIds, {row[0], shown, row[1], tables.In(fix)}));
  return findings;
}

void RequireNone(const std::vector<Finding>& findings, const char* server) {
  if (!findings.empty())
    throw Error(OUTBOX_BAD_CONFIG, std::string(server) + ": " + findings.front().what + "; " + findings.front().fix);
}

}  // namespace outbox::sql
