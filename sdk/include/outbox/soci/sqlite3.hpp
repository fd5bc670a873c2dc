// The connection under a SOCI session of SQLite, for emit and inbox:
//
//   soci::transaction transaction(session);
//   session << "update orders ...";
//   emit::Emit(soci_sqlite3::Native(session), {...});  // with outbox/emit/sqlite3.hpp
//   transaction.commit();
//
// Include it before <sqlite3.h> and what includes that: SOCI declares SQLite within a namespace of its own, which this
// header opens.
#pragma once

#if defined(SQLITE3_H) && !defined(SOCI_SQLITE3_H_INCLUDED)
#error "include outbox/soci/sqlite3.hpp before sqlite3.h and outbox/emit/sqlite3.hpp"
#endif

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <stdexcept>

using namespace sqlite_api;  // NOLINT(google-build-using-namespace): C's names, where they belong

namespace outbox::soci_sqlite3 {

// Lives as long as the session is connected. Throws std::invalid_argument for a session of another database.
inline sqlite_api::sqlite3* Native(soci::session& session) {
  if (session.get_backend_name() != "sqlite3") throw std::invalid_argument("this SOCI session is not SQLite's");
  return static_cast<soci::sqlite3_session_backend*>(session.get_backend())->conn_;
}

}  // namespace outbox::soci_sqlite3
