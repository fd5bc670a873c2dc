// stdout and stderr of the commands. A failed write is an error, and control characters in data are escaped, so that
// the data of an event cannot control the operator's terminal.
#pragma once

#include <memory>
#include <streambuf>
#include <string>

namespace outbox::cli {

// Writes to a descriptor. The text is escaped as in util/escape.hpp, except for line feeds and tabs.
class OutputBuffer : public std::streambuf {
 public:
  explicit OutputBuffer(int descriptor);

  // Returns the errno of the first failed write, or 0. After a failed write nothing more is written.
  [[nodiscard]] int error() const { return error_; }

 protected:
  int_type overflow(int_type character) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  void Write(const std::string& text);

  const int descriptor_;
  const bool by_line_;  // True if the descriptor is a terminal; each line is then written at once.
  std::string pending_;
  int error_ = 0;
};

// Turns the escaping off. Only the demo calls this function: its screen draws on the terminal, and shows nothing but
// the demo's own text.
void PassControls();

// Replaces the buffers of std::cout and std::cerr as long as the object exists. main owns the only object.
class Output {
 public:
  Output();
  ~Output();
  Output(const Output&) = delete;

  // Writes the buffered text. Returns `code` if all output was written, or if `code` is a failure already. If the
  // reader has closed the pipe, returns kReaderGone without a message, because such a reader wants no more output.
  // After any other failed write, prints a message and returns kFailure.
  [[nodiscard]] int Finish(int code);

 private:
  OutputBuffer out_, error_;
  std::streambuf *const old_out_, *const old_error_;
};

}  // namespace outbox::cli
