#include "cli/common/output.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <system_error>

#include "cli/common/exit_code.hpp"
#include "outbox/text.hpp"
#include "util/escape.hpp"

namespace outbox::cli {
namespace {

constexpr std::size_t kGoodWrite = std::size_t{64} << 10;

bool pass_controls = false;

// Returns the number of bytes at the end of `text` that may be the beginning of a UTF-8 character.
std::size_t Unfinished(const std::string& text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t whole = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return whole > back ? back : 0;
  }
  return 0;
}

}  // namespace

void PassControls() { pass_controls = true; }

OutputBuffer::OutputBuffer(int descriptor) : descriptor_(descriptor), by_line_(isatty(descriptor) != 0) {}

OutputBuffer::int_type OutputBuffer::overflow(int_type character) {
  if (traits_type::eq_int_type(character, traits_type::eof())) return traits_type::not_eof(character);
  const char one = traits_type::to_char_type(character);
  return xsputn(&one, 1) == 1 ? character : traits_type::eof();
}

std::streamsize OutputBuffer::xsputn(const char* text, std::streamsize size) {
  if (error_ != 0) return 0;
  pending_.append(text, static_cast<std::size_t>(size));
  const bool line = by_line_ && std::string_view(text, static_cast<std::size_t>(size)).ends_with('\n');
  if ((line || pending_.size() >= kGoodWrite) && sync() != 0) return 0;
  return size;
}

int OutputBuffer::sync() {
  if (error_ == 0 && !pending_.empty()) {
    std::string rest = pending_.substr(pending_.size() - Unfinished(pending_));
    pending_.resize(pending_.size() - rest.size());
    std::string shown;
    if (pass_controls)
      shown.swap(pending_);
    else
      util::AppendEscaped(pending_, util::Layout::kKeep, shown);
    Write(shown);
    pending_ = std::move(rest);
  }
  return error_ == 0 ? 0 : -1;
}

void OutputBuffer::Write(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = write(descriptor_, text.data() + done, text.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {  // Another process has made the pipe non-blocking.
      pollfd wait{descriptor_, POLLOUT, 0};
      poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      error_ = errno;
      return;
    }
  }
}

Output::Output()
    : out_(STDOUT_FILENO),
      error_(STDERR_FILENO),
      old_out_(std::cout.rdbuf(&out_)),
      old_error_(std::cerr.rdbuf(&error_)) {}

Output::~Output() {
  std::cout.flush();
  std::cout.rdbuf(old_out_);
  std::cerr.rdbuf(old_error_);
}

int Output::Finish(int code) {
  std::cout.flush();
  int error = out_.error();
  // A network file system may report only on close that it has no space left.
  if (const int copy = error == 0 ? dup(STDOUT_FILENO) : -1; copy >= 0 && close(copy) != 0) error = errno;
  if (error == 0) return code;
  if (error == EPIPE) return code == kOk ? kReaderGone : code;
  std::cerr << "outbox-relay: the output could not be written: " << std::generic_category().message(error)
            << "; changes that the command has made are not undone" << std::endl;
  return code == kOk ? kFailure : code;
}

}  // namespace outbox::cli
