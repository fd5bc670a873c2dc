// Entries of the log, without spdlog's header, which costs a compiler seconds for each format that a file logs. The logger
// itself is made by monitoring/log.hpp, and is only a name here.
#pragma once

#include <spdlog/fwd.h>

#include <memory>
#include <string>
#include <string_view>

#include "util/format.hpp"

namespace outbox::util {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Formats the entry if the logger takes its level. Thread: any.
void WriteLog(spdlog::logger& logger, LogLevel level, fmt::string_view format, fmt::format_args arguments);

template <class... T>
void Log(spdlog::logger& logger, LogLevel level, fmt::format_string<T...> format, T&&... arguments) {
  WriteLog(logger, level, format, fmt::make_format_args(arguments...));
}

template <class... T>
void LogDebug(spdlog::logger& logger, fmt::format_string<T...> format, T&&... arguments) {
  WriteLog(logger, LogLevel::kDebug, format, fmt::make_format_args(arguments...));
}

template <class... T>
void LogInfo(spdlog::logger& logger, fmt::format_string<T...> format, T&&... arguments) {
  WriteLog(logger, LogLevel::kInfo, format, fmt::make_format_args(arguments...));
}

template <class... T>
void LogWarning(spdlog::logger& logger, fmt::format_string<T...> format, T&&... arguments) {
  WriteLog(logger, LogLevel::kWarning, format, fmt::make_format_args(arguments...));
}

template <class... T>
void LogError(spdlog::logger& logger, fmt::format_string<T...> format, T&&... arguments) {
  WriteLog(logger, LogLevel::kError, format, fmt::make_format_args(arguments...));
}

// Writes out what the logger holds back.
void FlushLog(spdlog::logger& logger);

// Returns a logger that drops every entry.
[[nodiscard]] std::shared_ptr<spdlog::logger> MakeSilentLogger();

}  // namespace outbox::util
