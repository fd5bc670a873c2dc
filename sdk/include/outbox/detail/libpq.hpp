// Helpers for libpq that emit and inbox share.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "free_with.hpp"

namespace outbox::detail {

using PgResult = std::unique_ptr<PGresult, FreeWith<PQclear>>;

struct PgFailure {
  std::string text, sqlstate;
};

// Returns why a statement failed; nothing if it succeeded.
inline std::optional<PgFailure> FailureOf(PGconn* connection, const PgResult& result) {
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return std::nullopt;
  const auto field = [&](int which) {
    const char* const text = result ? PQresultErrorField(result.get(), which) : nullptr;
    return std::string(text != nullptr ? text : "");
  };
  // Only the primary message is used, because the other parts may quote values of the row.
  const std::string primary = field(PG_DIAG_MESSAGE_PRIMARY);
  return PgFailure{"PostgreSQL: " + (primary.empty() ? PQerrorMessage(connection) : primary), field(PG_DIAG_SQLSTATE)};
}

// The values of a statement's parameters, which are passed to the server with their lengths. The values of one row need
// no allocation.
//
// REQUIRES: the bytes of the values live until Execute() has returned.
class PgValues {
 public:
  // `most` is the largest number of values.
  explicit PgValues(std::size_t most) {
    if (most <= kFew) return;
    more_values_.resize(most);
    more_numbers_.resize(2 * most);
    values_ = more_values_.data();
    lengths_ = more_numbers_.data();
    formats_ = lengths_ + most;
  }
  PgValues(const PgValues&) = delete;
  PgValues& operator=(const PgValues&) = delete;

  // Adds a value that is passed as bytes; absent = NULL.
  void Add(const std::optional<std::string_view>& bytes) {
    // An empty value needs an address, because a null pointer means NULL.
    values_[count_] = !bytes ? nullptr : bytes->data() != nullptr ? bytes->data() : "";
    lengths_[count_] = bytes ? static_cast<int>(bytes->size()) : 0;
    formats_[count_++] = 1;
  }
  // Adds a value that is passed as text and ends with NUL; nullptr = NULL.
  void AddText(const char* text) {
    values_[count_] = text;
    lengths_[count_] = 0;
    formats_[count_++] = 0;
  }
  PgResult Execute(PGconn* connection, const char* sql) const {
    return PgResult(PQexecParams(connection, sql, static_cast<int>(count_), nullptr, values_, lengths_, formats_, 0));
  }

 private:
  static constexpr std::size_t kFew = 6;
  std::size_t count_ = 0;
  const char* few_values_[kFew];
  int few_numbers_[2 * kFew];
  const char** values_ = few_values_;
  int* lengths_ = few_numbers_;
  int* formats_ = few_numbers_ + kFew;
  std::vector<const char*> more_values_;
  std::vector<int> more_numbers_;
};

}  // namespace outbox::detail
