// The connection under a SOCI session of MySQL or MariaDB, for emit and inbox:
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

// Lives as long as the session is connected. Throws std::invalid_argument for a session of another database.
inline MYSQL* Native(soci::session& session) {
  if (session.get_backend_name() != "mysql") throw std::invalid_argument("this SOCI session is not MySQL's");
  return static_cast<soci::mysql_session_backend*>(session.get_backend())->conn_;
}

}  // namespace outbox::soci_mysql
