#include "runner.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace outbox::contract {
namespace {

using SteadyClock = std::chrono::steady_clock;

void WriteAll(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(fd, text.data() + at, text.size() - at);
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
}

// Appends to `text` the bytes that can be read from `fd`. Returns true when the other end of `fd` is closed, and false
// if that does not happen before the deadline.
bool ReadUntil(int fd, SteadyClock::time_point deadline, std::string& text) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    if (left <= 0) return false;
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(left)) <= 0) continue;
    char buffer[4096];
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return true;
    text.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace

Outcome RunHere(const Case& one, const Subject& subject) {
  if (!subject.before.empty() && std::system(subject.before.c_str()) != 0)
    return {Verdict::kFailed, "--before failed: " + subject.before};
  try {
    one.run(subject);
    return {};
  } catch (const Skipped& why) {
    return {Verdict::kSkipped, why.what()};
  } catch (const Warned& why) {
    return {Verdict::kWarned, why.what()};
  } catch (const std::exception& why) {
    return {Verdict::kFailed, why.what()};
  }
}

Outcome RunInChild(const Case& one, const Subject& subject, std::chrono::seconds limit) {
  int ends[2];
  if (::pipe(ends) != 0) return {Verdict::kFailed, "pipe: " + std::string(std::strerror(errno))};
  const pid_t child = ::fork();
  if (child < 0) return {Verdict::kFailed, "fork: " + std::string(std::strerror(errno))};
  if (child == 0) {
    ::close(ends[0]);
    const Outcome outcome = RunHere(one, subject);
    WriteAll(ends[1], std::to_string(static_cast<int>(outcome.verdict)) + outcome.text);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string answer;
  const bool in_time = ReadUntil(ends[0], SteadyClock::now() + limit, answer);
  ::close(ends[0]);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) return {Verdict::kCrashed, "not finished after " + std::to_string(limit.count()) + " s, killed"};
  if (WIFSIGNALED(status)) return {Verdict::kCrashed, std::string("killed by ") + ::strsignal(WTERMSIG(status))};
  if (answer.empty()) return {Verdict::kCrashed, "exited with status " + std::to_string(WEXITSTATUS(status))};
  return {static_cast<Verdict>(answer[0] - '0'), answer.substr(1)};
}

}  // namespace outbox::contract
