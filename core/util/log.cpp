#include "util/log.hpp"

#include <spdlog/logger.h>

#include <array>
#include <cstddef>

namespace outbox::util {

void WriteLog(spdlog::logger& logger, LogLevel level, fmt::string_view format, fmt::format_args arguments) {
  constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
  const auto severity = kLevels.at(static_cast<std::size_t>(level));
  if (!logger.should_log(severity)) return;
  const std::string text = fmt::vformat(format, arguments);
  logger.log(severity, spdlog::string_view_t(text.data(), text.size()));
}

void FlushLog(spdlog::logger& logger) { logger.flush(); }

std::shared_ptr<spdlog::logger> MakeSilentLogger() { return std::make_shared<spdlog::logger>("without sinks"); }

}  // namespace outbox::util
