// The connection under a SOCI session of PostgreSQL, for emit and inbox:
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

// Lives as long as the session is connected. Throws std::invalid_argument for a session of another database.
inline PGconn* Native(soci::session& session) {
  if (session.get_backend_name() != "postgresql") throw std::invalid_argument("this SOCI session is not PostgreSQL's");
  return static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_;
}

}  // namespace outbox::soci_postgresql
