// Runs SQL for a test in the role of the application, on a connection of its own to the database.
#pragma once

#include <string>

#include "tests/catch.hpp"

namespace outbox::testing {

class SqlSession {
 public:
  SqlSession() = default;
  virtual ~SqlSession() = default;
  SqlSession(const SqlSession&) = delete;
  SqlSession& operator=(const SqlSession&) = delete;

  // Runs SQL, and returns the first value of the last result. An error fails the test.
  std::string operator()(const std::string& sql) {
    std::string value;
    const std::string message = Execute(sql, value);
    INFO(sql);
    REQUIRE(message == "");
    return value;
  }
  // Runs SQL, and returns the error message, which is empty if there was no error.
  std::string Try(const std::string& sql) {
    std::string value;
    return Execute(sql, value);
  }

 protected:
  // Runs SQL. Returns the error message, and sets `value` to the first value of the last result.
  virtual std::string Execute(const std::string& sql, std::string& value) = 0;
};

}  // namespace outbox::testing
