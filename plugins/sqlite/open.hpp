// The only place where SOCI's SQLite header and SQLite's own would meet: SOCI puts the latter into a namespace of its
// own, so that both cannot be included in one source.
#pragma once

#include <memory>
#include <string>

struct sqlite3;
namespace soci {
class session;
}

namespace outbox::sqlite {

// Throws OUTBOX_UNAVAILABLE. Creates the file where it is missing.
std::unique_ptr<soci::session> Open(const std::string& path);
sqlite3* NativeHandle(soci::session& session);
// The result code that an exception of SOCI's carries, -1 = it is not one of SQLite's.
int ResultOf(const std::exception& error);

// ": " and the reason, if this errno says that there are no descriptors left; else nothing.
[[nodiscard]] std::string DescriptorsUsedUp(int error);

}  // namespace outbox::sqlite
