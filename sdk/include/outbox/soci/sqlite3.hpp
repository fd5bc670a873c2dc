// Returns the connection of a SOCI session of SQLite, for the functions of outbox/emit and outbox/inbox:
//
//   soci::transaction transaction(session);
//   session << "update orders ...";
//   emit::Emit(soci_sqlite3::Native(session), {...});  // with outbox/emit/sqlite3.hpp
//   transaction.commit();
//
// Include this header before <sqlite3.h> and before any header that includes it: SOCI declares the names of SQLite in a
// namespace of its own, and this header makes them visible outside it.
#pragma once

#if defined(SQLITE3_H) && !defined(SOCI_SQLITE3_H_INCLUDED)
#error "include outbox/soci/sqlite3.hpp before sqlite3.h and outbox/emit/sqlite3.hpp"
#endif

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <stdexcept>

using namespace sqlite_api;  // NOLINT(google-build-using-namespace): the names of a C library are global

namespace outbox::soci_sqlite3 {

// Returns the connection. The session owns it, and it is valid as long as the session is connected. Errors: throws
// std::invalid_argument if the session belongs to another database. Thread: the thread of the session.
inline sqlite_api::sqlite3* Native(soci::session& session) {
  if (session.get_backend_name() != "sqlite3")
    throw std::invalid_argument("this SOCI session does not use the backend sqlite3");
  return static_cast<soci::sqlite3_session_backend*>(session.get_backend())->conn_;
}

}  // namespace outbox::soci_sqlite3
