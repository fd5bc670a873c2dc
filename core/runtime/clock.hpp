// The shell's clock. Boot time, because it goes on while the machine is suspended: a lease does too.
#pragma once

#include <chrono>
#include <ctime>

#include "engine/settings.hpp"

namespace outbox::runtime {

inline engine::Time Micros(std::chrono::milliseconds d) { return std::chrono::microseconds(d).count(); }

inline engine::Time Now() {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return static_cast<engine::Time>(t.tv_sec) * engine::kSecond + t.tv_nsec / 1000;
}

// Since 1970, as databases tell when a row was made.
inline engine::Time WallTime() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace outbox::runtime
