// The clock of the code around the engine. It counts the time since boot, because this time continues while the machine
// is suspended, as a lease does.
#pragma once

#include <chrono>
#include <ctime>

#include "engine/settings.hpp"

namespace outbox::runtime {

inline engine::Time Micros(std::chrono::milliseconds d) { return std::chrono::microseconds(d).count(); }

// Returns the time since boot, in microseconds.
inline engine::Time Now() {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return static_cast<engine::Time>(t.tv_sec) * engine::kSecond + t.tv_nsec / 1000;
}

// Returns the time since 1970, in microseconds, for comparison with the creation times of rows.
inline engine::Time WallTime() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace outbox::runtime
