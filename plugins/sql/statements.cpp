#include "sql/statements.hpp"

#include <soci/soci.h>

namespace outbox::sql {
namespace {

Value Column(const soci::row& row, std::size_t i) {
  if (row.get_indicator(i) == soci::i_null) return std::nullopt;
  switch (row.get_properties(i).get_data_type()) {
    case soci::dt_integer:
      return std::to_string(row.get<int>(i));
    case soci::dt_long_long:
      return std::to_string(row.get<long long>(i));
    case soci::dt_unsigned_long_long:
      return std::to_string(row.get<unsigned long long>(i));
    case soci::dt_double:
      return std::to_string(row.get<double>(i));
    default:
      return row.get<std::string>(i);
  }
}

}  // namespace

Rows RunBySoci(soci::session& session, const Statement& statement) {
  // SOCI keeps pointers to the bound values until the statement has ended.
  std::vector<std::string> texts(statement.values.size());
  std::vector<soci::indicator> indicators(statement.values.size());
  soci::row row;
  soci::statement prepared(session);
  prepared.alloc();
  prepared.prepare(statement.sql, soci::details::st_one_time_query);
  for (std::size_t i = 0; i < statement.values.size(); ++i) {
    texts[i] = statement.values[i].value_or("");
    indicators[i] = statement.values[i] ? soci::i_ok : soci::i_null;
    prepared.exchange(soci::use(texts[i], indicators[i]));
  }
  prepared.exchange(soci::into(row));
  prepared.define_and_bind();
  Rows rows;
  for (bool more = prepared.execute(true); more; more = prepared.fetch()) {
    Row& out = rows.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) out.push_back(Column(row, i));
  }
  return rows;
}

long long ToNumber(const Value& value) { return value ? std::stoll(*value) : 0; }

}  // namespace outbox::sql
