// A database file of a test, in a folder of its own whose name contains blanks.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "sqlite/adapter.hpp"

namespace outbox::testing {

class File {
 public:
  File() {
    std::string name = (std::filesystem::temp_directory_path() / "outbox test=XXXXXX").string();
    folder_ = mkdtemp(name.data());
    path = folder_ / "orders of today.db";
  }
  ~File() { std::filesystem::remove_all(folder_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  // Returns options for this file. `more` is appended to the JSON text, for example: , "table": "x".
  [[nodiscard]] std::shared_ptr<sqlite::Config> Config(const std::string& more = "") const {
    return std::make_shared<sqlite::Config>(R"({"path": ")" + path.string() + "\"" + more + "}", nullptr);
  }
  std::filesystem::path path;

 private:
  std::filesystem::path folder_;
};

}  // namespace outbox::testing
