#include "sql/questions.hpp"

#include "sql/others.hpp"
#include "sql/sql_template.hpp"

namespace outbox::sql {
namespace {

std::string Filled(const char* text, const Row& row) {
  std::string filled = text;
  for (std::size_t i = 1; i < row.size(); ++i)
    filled = Fill(filled, {{'[' + std::to_string(i) + ']', row[i].value_or("")}});
  return filled;
}

}  // namespace

Finding FindingOf(const Text& text, const Row& row) {
  Finding finding{row.at(0) == "error", Filled(text.what, row), Filled(text.fix, row)};
  finding.note = row[0] == "note";
  return finding;
}

std::string Filled(std::string sql, const Places& places) {
  for (const auto& [place, with] : places) sql = Fill(sql, {{place, with}});
  return sql;
}

std::string InQuotes(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "'" : ", '") + Fill(name, {{"'", "''"}}) + "'";
  return list;
}

std::vector<Places> PlacesOf(const Tables& t, const std::vector<Table>& tables) {
  std::vector<std::string> names;
  names.reserve(tables.size());
  for (const Table& table : tables) names.push_back(table.name);
  std::vector<Places> all;
  for (const Table& table : tables) {
    const bool outbox = table.kind == "event";
    std::vector<std::string> known, written;
    for (const Column& column : table.columns) {
      known.push_back(column.name);
      if (column.type.find("generated always") == std::string::npos) written.push_back(column.name);
    }
    using Names = std::vector<std::string>;
    const std::string& key = known.front();
    all.push_back(
        {{"[fix]", outbox ? "name the table itself in \"table\" of /storage/options"
                          : "drop or rename [quoted], then run outbox-relay migrate"},
         {"[kind]", table.kind},
         {"[table]", table.name},
         {"[shown]", t.Shown(table.name)},
         {"[quoted]", t.Quote(table.name)},
         {"[key]", key},
         {"[known]", InQuotes(known)},
         {"[written]", InQuotes(written)},
         {"[filled]",
          InQuotes(outbox ? Names{"id", "topic", "aggregate_id", "event_type", "payload", "headers"} : known)},
         {"[identity]", InQuotes(outbox ? Names{"id", "event_id"} : Names{"event_id", key})},
         {"[writes]", InQuotes(outbox ? Names{"INSERT", "DELETE"} : Names{"INSERT", "UPDATE", "DELETE"})},
         {"[tables]", InQuotes(names)}});
  }
  return all;
}

std::vector<Finding> Ask(Statements& db, std::span<const Question> questions, const Places& places) {
  std::vector<Statement> statements;
  for (const Question& question : questions) statements.push_back({Filled(question.sql, places), {}});
  std::vector<Finding> findings;
  const auto answers = db.RunTogether(statements);
  for (std::size_t i = 0; i < questions.size(); ++i)
    for (const Row& row : answers.at(i)) findings.push_back(FindingOf(questions[i].text, row));
  return findings;
}

std::vector<Finding> FindLowIds(Statements& db, const Tables& tables, const char* fix) {
  std::vector<Finding> findings;
  for (const Row& row : db.Run({tables.In(kLowIdsSql), {}}))
    findings.push_back(FindingOf(kLowIds, {row[0], tables.Shown(tables.event_name), row[1], tables.In(fix)}));
  return findings;
}

void RequireNone(const std::vector<Finding>& findings, const char* server) {
  if (!findings.empty())
    throw Error(OUTBOX_BAD_CONFIG, std::string(server) + ": " + findings.front().what + "; " + findings.front().fix);
}

}  // namespace outbox::sql
