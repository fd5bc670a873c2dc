// Times and spans of time as commands print them.
#pragma once

#include <cstdint>
#include <string>

#include "outbox/event.hpp"

namespace outbox::cli {

[[nodiscard]] std::string Age(Millis age);              // 850 ms, 4.2 s, 3 min 20 s, 5 h 1 min, 9 d 2 h
[[nodiscard]] std::string Moment(std::int64_t micros);  // since 1970: 2026-11-25T04:29:33.123Z; "-" for 0

}  // namespace outbox::cli
