// The application of a test, which has a connection of its own to a server.
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

  // Returns the first value of the last answer.
  std::string operator()(const std::string& sql) {
    std::string value;
    const std::string message = Execute(sql, value);
    INFO(sql);
    REQUIRE(message == "");
    return value;
  }
  // Returns the error message, which is empty if there was no error.
  std::string Try(const std::string& sql) {
    std::string value;
    return Execute(sql, value);
  }

 protected:
  // Returns the error message, and the first value of the last answer in `value`.
  virtual std::string Execute(const std::string& sql, std::string& value) = 0;
};

}  // namespace outbox::testing
