// Reports when another connection has committed to the database file. SQLite's data_version shows whether there was a
// commit, and changes of the files (inotify) show when to check it. Only writers on this machine are noticed. Commits
// over a network file system are found by polling.
#pragma once

#include <string>

#include "sqlite/connection.hpp"

namespace outbox::sqlite {

// Implements outbox.wakeup/1 for a session. The adapter owns the object. Thread: the thread of the session, because
// Watch uses the connection of the session.
class Watch {
 public:
  // Starts to watch the folder of the database file. Errors: throws OUTBOX_UNAVAILABLE if the folder cannot be watched,
  // for example because the system has no inotify watches left.
  explicit Watch(Connection& connection);
  ~Watch();
  Watch(const Watch&) = delete;

  // Waits until another connection commits, but not beyond the deadline of the call. Returns true if another connection
  // has committed since the last call that returned true, and false at the deadline.
  bool Wait();

 private:
  [[nodiscard]] long long Version();
  // Reads the pending notifications. Returns true if one of the database's files was written to.
  [[nodiscard]] bool TakeChanges() const;

  Connection& connection_;
  Prepared data_version_;
  std::string name_;  // name of the database file in its folder
  int changes_ = -1;  // inotify descriptor
  long long version_ = 0;
};

}  // namespace outbox::sqlite
