// Shortages of the machine that pass: no threads, memory, descriptors or disk, a port that the predecessor still has.
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

// A code of the host only, outside of those of the plugin boundary: nobody needs to change the configuration, and the same
// command succeeds once the shortage is over. The program ends with EX_TEMPFAIL.
inline constexpr outbox_code kShortage = -1;

// True for an errno that says nothing about the configuration: the same call may succeed later.
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
    case EADDRNOTAVAIL:  // until the interface is up, or the address has moved here
      return true;
    default:
      return false;
  }
}

// False if there is no room for the stack of a thread. The C library reports that as EAGAIN, like the limit on threads.
[[nodiscard]] inline bool HasRoomForAStack() {
  constexpr std::size_t kStack = std::size_t{8} << 20;
  void* const stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return stack != MAP_FAILED && munmap(stack, kStack) == 0;
}

// The resource by name: the usual text of EAGAIN is "Resource temporarily unavailable" and no more.
[[nodiscard]] inline std::string ShortageText(const std::system_error& error) {
  if (error.code() != std::errc::resource_unavailable_try_again) return error.what();
  const std::string failed = "no thread could be started (" + std::string(error.what()) + "): ";
  if (!HasRoomForAStack())
    return failed +
           "there is no memory for its stack; the limit on the memory of this process (ulimit -v, LimitAS) or of the "
           "machine is reached";
  return failed +
         "the limit on processes and threads of this user (ulimit -u, LimitNPROC) or of its control group "
         "(pids.max, "
         "TasksMax) is reached; the start can succeed once others have ended or the limit is raised";
}

// True for a library's text that ends in such a reason, where the library gives no errno.
[[nodiscard]] inline bool MentionsShortage(const std::string& text) {
  for (const int error : {ENOMEM, EMFILE, ENFILE, ENOBUFS, EAGAIN, ENOSPC, EIO})
    if (text.find(std::generic_category().message(error)) != std::string::npos) return true;
  return false;
}

// What threw, as a Status: kShortage for a resource that ran out, else OUTBOX_INTERNAL.
[[nodiscard]] inline Status StatusOf(const std::exception& thrown) {
  if (const auto* system = dynamic_cast<const std::system_error*>(&thrown);
      system != nullptr && system->code().category() == std::generic_category() && IsShortage(system->code().value()))
    return {kShortage, ShortageText(*system)};
  if (dynamic_cast<const std::bad_alloc*>(&thrown) != nullptr)
    return {kShortage,
            "out of memory: the limit of this process or of its control group is reached, or the machine has "
            "none left"};
  return {OUTBOX_INTERNAL, thrown.what()};
}

}  // namespace outbox
