// Formats durations and times for the output of commands.
#pragma once

#include <cstdint>
#include <string>

#include "outbox/event.hpp"

namespace outbox::cli {

// Formats a duration, such as 850 ms, 4.2 s, 3 min 20 s, 5 h 1 min or 9 d 2 h.
[[nodiscard]] std::string Age(Millis age);
// Formats a time, given in microseconds since 1970, such as 2026-11-25T04:29:33.123Z. Returns "-" for 0, and for years
// before 1 and after 9999.
[[nodiscard]] std::string Moment(std::int64_t micros);

}  // namespace outbox::cli
