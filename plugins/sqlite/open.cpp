#include "sqlite/open.hpp"

#include <fcntl.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "outbox/event.hpp"

namespace outbox::sqlite {
namespace {

// Opens /dev/null and returns the error number (errno); 0 = success. SOCI does not report why a database file could not
// be opened, and this error number shows whether the cause was a lack of file descriptors.
int TryToOpen() {
  const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int error = file < 0 ? errno : 0;
  if (file >= 0) close(file);
  return error;
}

}  // namespace

std::string DescriptorsUsedUp(int error) {
  if (error != EMFILE && error != ENFILE) return "";
  return ": " + std::generic_category().message(error) +
         (error == EMFILE ? " (the limit of this process is reached: ulimit -n, LimitNOFILE)"
                          : " (the limit of this machine is reached: fs.file-max)");
}

std::unique_ptr<soci::session> Open(const std::string& path) {
  try {
    // SOCI receives the factory object and not the name of a backend. For a name, SOCI would search for a shared
    // library, even in the working directory. SOCI takes a string without '=' for the path, and any other string for a
    // list of options.
    const bool plain = path.find('=') == std::string::npos;
    return std::make_unique<soci::session>(soci::sqlite3, plain ? path : "db=\"" + path + "\"");
  } catch (const soci::soci_error&) {
    if (const std::string shortage = DescriptorsUsedUp(TryToOpen()); !shortage.empty())
      throw Error(OUTBOX_UNAVAILABLE, "cannot open " + path + shortage);
    throw Error(OUTBOX_UNAVAILABLE,
                "cannot open " + path + "; its folder must exist, and this user must be allowed to write to it");
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
