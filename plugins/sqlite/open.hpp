// Opens the file through SOCI. SOCI's header for SQLite includes SQLite's own header inside a namespace, so no source
// file can include both. Only open.cpp includes SOCI's header.
#pragma once

#include <memory>
#include <string>

struct sqlite3;
namespace soci {
class session;
}

namespace outbox::sqlite {

// Opens the file, and creates it if it does not exist. Errors: throws OUTBOX_UNAVAILABLE.
std::unique_ptr<soci::session> Open(const std::string& path);
sqlite3* NativeHandle(soci::session& session);
// Returns the result code of SQLite that an exception of SOCI carries; -1 = none.
int ResultOf(const std::exception& error);

// Returns ": " and the reason if the error number (errno) means that no file descriptors are left, otherwise nothing.
[[nodiscard]] std::string DescriptorsUsedUp(int error);

}  // namespace outbox::sqlite
