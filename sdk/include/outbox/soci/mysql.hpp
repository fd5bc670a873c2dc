// Returns the connection of a SOCI session of MySQL or MariaDB, for the functions of outbox/emit and outbox/inbox:
//
//   soci::transaction transaction(session);
//   session << "update orders ...";
//   emit::Emit(soci_mysql::Native(session), {...});  // with outbox/emit/mysql.hpp
//   transaction.commit();
#pragma once

#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>

#include <stdexcept>

namespace outbox::soci_mysql {

// Returns the connection. The session owns it, and it is valid as long as the session is connected. Errors: throws
// std::invalid_argument if the session belongs to another database. Thread: the thread of the session.
inline MYSQL* Native(soci::session& session) {
  if (session.get_backend_name() != "mysql")
    throw std::invalid_argument("this SOCI session does not use the backend mysql");
  return static_cast<soci::mysql_session_backend*>(session.get_backend())->conn_;
}

}  // namespace outbox::soci_mysql
