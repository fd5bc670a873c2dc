// Returns the connection of a SOCI session of PostgreSQL, for the functions of outbox/emit and outbox/inbox:
//
//   soci::transaction transaction(session);
//   session << "update orders ...";
//   emit::Emit(soci_postgresql::Native(session), {...});  // with outbox/emit/libpq.hpp
//   transaction.commit();
#pragma once

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <stdexcept>

namespace outbox::soci_postgresql {

// Returns the connection. The session owns it, and it is valid as long as the session is connected. Errors: throws
// std::invalid_argument if the session belongs to another database. Thread: the thread of the session.
inline PGconn* Native(soci::session& session) {
  if (session.get_backend_name() != "postgresql")
    throw std::invalid_argument("this SOCI session does not use the backend postgresql");
  return static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_;
}

}  // namespace outbox::soci_postgresql
