// Functions that write log entries without including spdlog's header, which costs seconds of compile time for each
// format string in a file. monitoring/log.hpp makes the logger; here its type is only declared.
#pragma once

#include <spdlog/fwd.h>

#include <memory>
#include <string>
#include <string_view>

#include "util/format.hpp"

namespace outbox::util {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Formats the entry and writes it, if the logger's level admits the entry. Thread: any.
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

// Writes out the entries that the logger has buffered.
void FlushLog(spdlog::logger& logger);

// Returns a logger that drops every entry.
[[nodiscard]] std::shared_ptr<spdlog::logger> MakeSilentLogger();

}  // namespace outbox::util
