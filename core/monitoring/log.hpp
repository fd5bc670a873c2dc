// Writes the relay's log to stderr, one line for each entry: text for people if stderr is a terminal, otherwise JSON.
//
//   2026-11-23 13:20:26.123 info  [shard 0] reading
//   {"time":"2026-11-23T13:20:26.123Z","level":"info","source":"shard 0","msg":"reading"}
//
// "source" is the name of the logger, if it has one; logger->clone("shard 0") shares the sink. Texts that come from
// rows or from other programs may contain anything, so control characters are escaped and an entry stays one line.
#pragma once

#include <spdlog/fwd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "util/escape.hpp"

namespace outbox::monitoring {

// Makes a logger that never fails and never throws: lines that cannot be written are lost. The logger is not registered
// with spdlog.
[[nodiscard]] std::shared_ptr<spdlog::logger> MakeLogger(const config::Log& config, std::FILE* to = stderr);

[[nodiscard]] std::unique_ptr<spdlog::formatter> MakeTextFormatter();
[[nodiscard]] std::unique_ptr<spdlog::formatter> MakeJsonFormatter();

using util::Escape;

}  // namespace outbox::monitoring
