// What emit and inbox need of libpq.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::detail {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PgResult = std::unique_ptr<PGresult, ClearResult>;

struct PgFailure {
  std::string text, sqlstate;
};

inline std::optional<PgFailure> FailureOf(PGconn* connection, const PgResult& result) {
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return std::nullopt;
  const auto field = [&](int which) {
    const char* const text = result ? PQresultErrorField(result.get(), which) : nullptr;
    return std::string(text != nullptr ? text : "");
  };
  // The primary message alone: the others may quote the row.
  const std::string primary = field(PG_DIAG_MESSAGE_PRIMARY);
  return PgFailure{"PostgreSQL: " + (primary.empty() ? PQerrorMessage(connection) : primary), field(PG_DIAG_SQLSTATE)};
}

// Values of a statement, by their length.
class PgValues {
 public:
  explicit PgValues(std::size_t count) {
    values_.reserve(count);
    lengths_.reserve(count);
    formats_.reserve(count);
  }
  void Add(const std::optional<std::string_view>& bytes) {
    // An empty value must have an address: null would be NULL.
    values_.push_back(!bytes ? nullptr : bytes->data() != nullptr ? bytes->data() : "");
    lengths_.push_back(bytes ? static_cast<int>(bytes->size()) : 0);
    formats_.push_back(1);
  }
  void AddText(const char* text) {
    values_.push_back(text);
    lengths_.push_back(0);
    formats_.push_back(0);
  }
  PgResult Execute(PGconn* connection, const char* sql) const {
    return PgResult(PQexecParams(connection, sql, static_cast<int>(values_.size()), nullptr, values_.data(),
                                 lengths_.data(), formats_.data(), 0));
  }

 private:
  std::vector<const char*> values_;
  std::vector<int> lengths_, formats_;
};

}  // namespace outbox::detail
