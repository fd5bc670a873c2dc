// Provides fmt::format() for text and numbers, from the part of fmt that compiles fast. <spdlog/fmt/fmt.h> has the
// rest, such as fmt::join.
#pragma once

#ifdef SPDLOG_FMT_EXTERNAL
#include <fmt/core.h>
#else
#include <spdlog/fmt/bundled/core.h>
#endif
