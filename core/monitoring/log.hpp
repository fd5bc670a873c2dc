// The relay's log: one line an entry on stderr, for people on a terminal, as JSON for machines otherwise.
//
//   2026-11-23 13:20:26.123 info  [shard 0] reading
//   {"time":"2026-11-23T13:20:26.123Z","level":"info","source":"shard 0","msg":"reading"}
//
// "source" is the logger's name, where it has one: logger->clone("shard 0") shares the sink. What comes from rows or
// from others may hold anything, so that control characters are escaped: a line stays one line.
#pragma once

#include <spdlog/fwd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "util/escape.hpp"

namespace outbox::monitoring {

// Writing never fails and never throws: what cannot be written is lost. Not registered anywhere.
[[nodiscard]] std::shared_ptr<spdlog::logger> MakeLogger(const config::Log& config, std::FILE* to = stderr);

[[nodiscard]] std::unique_ptr<spdlog::formatter> MakeTextFormatter();
[[nodiscard]] std::unique_ptr<spdlog::formatter> MakeJsonFormatter();

using util::Escape;

}  // namespace outbox::monitoring
