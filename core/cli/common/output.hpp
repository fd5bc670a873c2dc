// stdout and stderr of the commands: what cannot be written is an error, and no control character of others gets through.
#pragma once

#include <memory>
#include <streambuf>
#include <string>

namespace outbox::cli {

// Writes to a descriptor. The text is escaped as in util/escape.hpp, line feeds and tabs excepted.
class OutputBuffer : public std::streambuf {
 public:
  explicit OutputBuffer(int descriptor);

  // The errno of the first write that failed, after which nothing more is written; 0 = none did.
  [[nodiscard]] int error() const { return error_; }

 protected:
  int_type overflow(int_type character) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  void Write(const std::string& text);

  const int descriptor_;
  const bool by_line_;  // a terminal
  std::string pending_;
  int error_ = 0;
};

// From now on nothing is escaped: for the demo's screen, which draws on the terminal and shows no text of others.
void PassControls();

// Puts itself behind std::cout and std::cerr for as long as it lives.
class Output {
 public:
  Output();
  ~Output();
  Output(const Output&) = delete;

  // Writes what is left. Returns `code` if all was written or the command has failed. Otherwise kFailure with a
  // message, or kReaderGone without one if the other end of a pipe is closed: whoever closes it wants no more output.
  [[nodiscard]] int Finish(int code);

 private:
  OutputBuffer out_, error_;
  std::streambuf *const old_out_, *const old_error_;
};

}  // namespace outbox::cli
