#include "sqlite/open.hpp"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "outbox/event.hpp"

namespace outbox::sqlite {

std::unique_ptr<soci::session> Open(const std::string& path) {
  try {
    // The factory object, never a name: SOCI would look for a library of that name, also in the working directory.
    // A string without '=' is the path as it stands; any other is a list of options.
    const bool plain = path.find('=') == std::string::npos;
    return std::make_unique<soci::session>(soci::sqlite3, plain ? path : "db=\"" + path + "\"");
  } catch (const soci::soci_error&) {
    throw Error(OUTBOX_UNAVAILABLE,
                "cannot open " + path + "; its folder must be there, and this user must be allowed to write in it");
  }
}

sqlite3* NativeHandle(soci::session& session) {
  return reinterpret_cast<sqlite3*>(static_cast<soci::sqlite3_session_backend*>(session.get_backend())->conn_);
}

int ResultOf(const std::exception& error) {
  const auto* known = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  return known != nullptr ? known->result() : -1;
}

}  // namespace outbox::sqlite
