#include "sqlite/time.hpp"

#include "sql/time.hpp"

namespace outbox::sqlite {
std::int64_t ToMicros(const Prepared& row, int column) {
  switch (row.Type(column)) {
    case SQLITE_INTEGER:
      return row.Number(column) * 1'000'000;
    case SQLITE_FLOAT:
      return static_cast<std::int64_t>(row.Real(column) * 1e6);
    case SQLITE_TEXT:
      return sql::ParseTime(row.Text(column));
    default:
      return 0;
  }
}

}  // namespace outbox::sqlite
