// Interposes the functions of libpq that the plugin calls.
#include <libpq-fe.h>

#include <map>
#include <string>
#include <utility>

#include "real.hpp"
#include "statement.hpp"

using namespace outbox::crash_points;  // NOLINT(google-build-using-namespace)

namespace {

constexpr const char* kLibpq = "libpq.so.5";

thread_local std::map<std::pair<const PGconn*, std::string>, Statement> prepared;

// Returns kDead if the statement is kFailure and its parameters contain a dead letter, and returns `statement` if not.
// One SQL statement records both retries and dead letters, and its first parameter lists them.
Statement Exactly(Statement statement, const char* const* values, int count) {
  const bool dead = statement == Statement::kFailure && count > 0 &&
                    std::string_view(values[0]).find("\"dead\":true") != std::string_view::npos;
  return dead ? Statement::kDead : statement;
}

}  // namespace

extern "C" {

int PQsendPrepare(PGconn* connection, const char* name, const char* sql, int count, const Oid* types) {
  REAL(kLibpq, PQsendPrepare);
  prepared[{connection, name}] = Recognise(sql);
  return real(connection, name, sql, count, types);
}

int PQsendQueryPrepared(PGconn* connection, const char* name, int count, const char* const* values, const int* lengths,
                        const int* formats, int result_format) {
  REAL(kLibpq, PQsendQueryPrepared);
  Begin(Exactly(prepared[{connection, name}], values, count));
  const int sent = real(connection, name, count, values, lengths, formats, result_format);
  Sent();
  return sent;
}

// The plugin calls PQsendQueryParams only in pipelines, which are sent when they are complete. The first statement of a
// pipeline stands for the whole pipeline.
int PQsendQueryParams(PGconn* connection, const char* sql, int count, const Oid* types, const char* const* values,
                      const int* lengths, const int* formats, int result_format) {
  REAL(kLibpq, PQsendQueryParams);
  if (!UnderWay()) Begin(Recognise(sql));
  return real(connection, sql, count, types, values, lengths, formats, result_format);
}

int PQenterPipelineMode(PGconn* connection) {
  REAL(kLibpq, PQenterPipelineMode);
  Forget();
  return real(connection);
}

int PQpipelineSync(PGconn* connection) {
  REAL(kLibpq, PQpipelineSync);
  const int sent = real(connection);
  Sent();
  return sent;
}

PGresult* PQgetResult(PGconn* connection) {
  REAL(kLibpq, PQgetResult);
  static const auto status = Real<decltype(&PQresultStatus)>(kLibpq, "PQresultStatus");
  static const auto pipeline = Real<decltype(&PQpipelineStatus)>(kLibpq, "PQpipelineStatus");
  PGresult* const result = real(connection);
  const bool last = pipeline(connection) == PQ_PIPELINE_OFF ? result == nullptr : status(result) == PGRES_PIPELINE_SYNC;
  if (last) Answered();
  return result;
}
}
