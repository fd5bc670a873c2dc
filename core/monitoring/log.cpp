#include "monitoring/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

namespace outbox::monitoring {
namespace {

std::string_view LevelName(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "trace";
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warn";
    default:
      return "error";
  }
}

std::string_view View(const spdlog::string_view_t& text) { return {text.data(), text.size()}; }

void Append(spdlog::memory_buf_t& to, std::string_view text) { to.append(text.data(), text.data() + text.size()); }

// Formats a time with milliseconds. `pattern` is a pattern of strftime, without the milliseconds.
std::string TimeText(spdlog::log_clock::time_point at, bool utc, const char* pattern) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  const auto seconds = static_cast<std::time_t>(since / 1000);
  std::tm parts{};
  if (utc) {
    gmtime_r(&seconds, &parts);
  } else {
    localtime_r(&seconds, &parts);
  }
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, pattern, &parts);
  const std::string fraction = std::to_string(1000 + since % 1000);
  return std::string(text, size) + "." + fraction.substr(1);
}

class TextFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& entry, spdlog::memory_buf_t& to) override {
    const std::string_view level = LevelName(entry.level);
    Append(to, TimeText(entry.time, /*utc=*/false, "%Y-%m-%d %H:%M:%S"));
    Append(to, " ");
    Append(to, level);
    Append(to, std::string_view("      ").substr(level.size()));
    if (entry.logger_name.size() != 0) {
      Append(to, "[");
      Append(to, Escape(View(entry.logger_name)));
      Append(to, "] ");
    }
    Append(to, Escape(View(entry.payload)));
    Append(to, "\n");
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override { return MakeTextFormatter(); }
};

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& entry, spdlog::memory_buf_t& to) override {
    nlohmann::ordered_json line;
    line["time"] = TimeText(entry.time, /*utc=*/true, "%Y-%m-%dT%H:%M:%S") + "Z";
    line["level"] = LevelName(entry.level);
    if (entry.logger_name.size() != 0) line["source"] = View(entry.logger_name);
    line["msg"] = View(entry.payload);
    // Valid JSON may still contain characters that control a terminal.
    std::string shown;
    util::AppendEscaped(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
                        util::Layout::kKeep, shown);
    Append(to, shown);
    Append(to, "\n");
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override { return MakeJsonFormatter(); }
};

}  // namespace

std::unique_ptr<spdlog::formatter> MakeTextFormatter() { return std::make_unique<TextFormatter>(); }
std::unique_ptr<spdlog::formatter> MakeJsonFormatter() { return std::make_unique<JsonFormatter>(); }

std::shared_ptr<spdlog::logger> MakeLogger(const config::Log& config, std::FILE* to) {
  const bool text = config.format == "text" || (config.format == "auto" && isatty(fileno(to)) != 0);
  auto sink = std::make_shared<spdlog::sinks::stdout_sink_base<spdlog::details::console_mutex>>(to);
  sink->set_formatter(text ? MakeTextFormatter() : MakeJsonFormatter());
  auto logger = std::make_shared<spdlog::logger>("", std::move(sink));
  logger->set_level(spdlog::level::from_str(config.level));
  // Without an error handler spdlog writes a text of its own to stderr.
  logger->set_error_handler([](const std::string&) {});
  return logger;
}

}  // namespace outbox::monitoring
