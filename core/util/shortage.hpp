// Temporary shortages on this machine: of threads, memory, descriptors or disk space, or of a port that the relay's
// predecessor still holds.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <exception>
#include <new>
#include <string>
#include <system_error>

#include "util/status.hpp"

namespace outbox {

// A status code that only the host uses; it is not part of the plugin ABI. The configuration needs no change, and the
// same command succeeds once the shortage is over. The program exits with EX_TEMPFAIL.
inline constexpr outbox_code kShortage = -1;

// Returns true for an errno that does not point to a wrong configuration: the same call may succeed later.
[[nodiscard]] constexpr bool IsShortage(int error) {
  switch (error) {
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EINTR:
    case EBUSY:
    case ESTALE:
    case ETIMEDOUT:
    case ETXTBSY:
    case EADDRINUSE:
    case EADDRNOTAVAIL:  // The interface may come up later, or the address may move to this machine.
      return true;
    default:
      return false;
  }
}

// Returns false if there is no memory for the stack of a thread. The C library reports EAGAIN both for this shortage
// and when the limit on the number of threads is reached.
[[nodiscard]] inline bool HasRoomForAStack() {
  constexpr std::size_t kStack = std::size_t{8} << 20;
  void* const stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return stack != MAP_FAILED && munmap(stack, kStack) == 0;
}

// Returns a text that names the resource that has run out, because the system's text for EAGAIN is only "Resource
// temporarily unavailable".
[[nodiscard]] inline std::string ShortageText(const std::system_error& error) {
  if (error.code() != std::errc::resource_unavailable_try_again) return error.what();
  const std::string failed = "no thread could be started (" + std::string(error.what()) + "): ";
  if (!HasRoomForAStack())
    return failed +
           "there is no memory for its stack; the memory limit of this process (ulimit -v, LimitAS) or of the machine "
           "is reached";
  return failed +
         "the limit on processes and threads of this user (ulimit -u, LimitNPROC) or of its control group (pids.max, "
         "TasksMax) is reached; try again when other processes have ended, or raise the limit";
}

// Returns true if a library's error text contains the system's text for one of the errno values of a shortage. Meant
// for libraries that report no errno.
[[nodiscard]] inline bool MentionsShortage(const std::string& text) {
  for (const int error : {ENOMEM, EMFILE, ENFILE, ENOBUFS, EAGAIN, ENOSPC, EIO})
    if (text.find(std::generic_category().message(error)) != std::string::npos) return true;
  return false;
}

// Converts an exception to a Status: kShortage if a resource ran out, otherwise OUTBOX_INTERNAL.
[[nodiscard]] inline Status StatusOf(const std::exception& thrown) {
  if (const auto* system = dynamic_cast<const std::system_error*>(&thrown);
      system != nullptr && system->code().category() == std::generic_category() && IsShortage(system->code().value()))
    return {kShortage, ShortageText(*system)};
  if (dynamic_cast<const std::bad_alloc*>(&thrown) != nullptr)
    return {kShortage,
            "out of memory: the limit of this process or of its control group is reached, or the machine has none "
            "left"};
  return {OUTBOX_INTERNAL, thrown.what()};
}

}  // namespace outbox
