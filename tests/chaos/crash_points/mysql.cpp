// Interposes the functions of MariaDB's client library that the plugin calls.
#include <mysql.h>

#include "real.hpp"
#include "statement.hpp"

using namespace outbox::crash_points;  // NOLINT(google-build-using-namespace)

namespace {

constexpr const char* kLibmariadb = "libmariadb.so.3";

// True while a result is fetched row by row. The statement then counts as answered when the result is freed.
thread_local bool streaming = false;

}  // namespace

extern "C" {

int STDCALL mysql_send_query(MYSQL* connection, const char* sql, unsigned long size) {
  REAL(kLibmariadb, mysql_send_query);
  streaming = false;
  Begin(Recognise({sql, size}));
  const int failed = real(connection, sql, size);
  Sent();
  return failed;
}

int STDCALL mysql_next_result(MYSQL* connection) {
  REAL(kLibmariadb, mysql_next_result);
  const int next = real(connection);
  if (next < 0) Answered();
  return next;
}

MYSQL_RES* STDCALL mysql_use_result(MYSQL* connection) {
  REAL(kLibmariadb, mysql_use_result);
  streaming = true;
  return real(connection);
}

void STDCALL mysql_free_result(MYSQL_RES* result) {
  REAL(kLibmariadb, mysql_free_result);
  real(result);
  if (!streaming) return;
  streaming = false;
  Answered();
}
}
