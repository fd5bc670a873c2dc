// Tells when somebody has committed to the database file: SQLite's data_version says whether, the files' own changes say
// when to ask. Sees writers on this machine; what is written over a network file system is found by polling.
#pragma once

#include <string>

#include "sqlite/connection.hpp"

namespace outbox::sqlite {

class Watch {
 public:
  // Used together with the connection and by its thread. Throws UNAVAILABLE where the system has no watch left to give.
  explicit Watch(Connection& connection);
  ~Watch();
  Watch(const Watch&) = delete;

  // True = another connection has committed since the last call that said so. False = not until the call's end.
  bool Wait();

 private:
  [[nodiscard]] long long Version();
  // Was one of the database's files written to?
  [[nodiscard]] bool TakeChanges() const;

  Connection& connection_;
  Prepared data_version_;
  std::string name_;  // of the file, in its folder
  int changes_ = -1;  // inotify
  long long version_ = 0;
};

}  // namespace outbox::sqlite
