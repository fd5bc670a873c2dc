#include "observe/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

namespace outbox::observe {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

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

// With milliseconds; `pattern` is strftime's.
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
    Append(to, line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    Append(to, "\n");
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override { return MakeJsonFormatter(); }
};

// The length of the character that begins the text, 0 = none does.
std::size_t CharacterSize(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t size = first < 0x80                    ? 1
                           : first >= 0xc2 && first < 0xe0 ? 2
                           : first >= 0xe0 && first < 0xf0 ? 3
                           : first >= 0xf0 && first < 0xf5 ? 4
                                                           : 0;
  if (size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return size;
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t size = CharacterSize(text);
    // U+0080 to U+009F are control characters too, and terminals obey them.
    const bool control = first < 0x20 || first == 0x7f || (first == 0xc2 && size == 2 && (text[1] & 0x60) == 0);
    if (first == '\n') {
      escaped += "\\n";
    } else if (first == '\t') {
      escaped += "\\t";
    } else if (size == 0 || control) {
      escaped += "\\x";
      escaped += kDigits[first >> 4];
      escaped += kDigits[first & 15];
    } else {
      escaped += text.substr(0, size);
    }
    text.remove_prefix(size == 0 || control ? 1 : size);
  }
  return escaped;
}

std::unique_ptr<spdlog::formatter> MakeTextFormatter() { return std::make_unique<TextFormatter>(); }
std::unique_ptr<spdlog::formatter> MakeJsonFormatter() { return std::make_unique<JsonFormatter>(); }

std::shared_ptr<spdlog::logger> MakeLogger(const config::Log& config, std::FILE* to) {
  const bool text = config.format == "text" || (config.format == "auto" && isatty(fileno(to)) != 0);
  auto sink = std::make_shared<spdlog::sinks::stdout_sink_base<spdlog::details::console_mutex>>(to);
  sink->set_formatter(text ? MakeTextFormatter() : MakeJsonFormatter());
  auto logger = std::make_shared<spdlog::logger>("", std::move(sink));
  logger->set_level(spdlog::level::from_str(config.level));
  // Without one spdlog writes its own text to stderr.
  logger->set_error_handler([](const std::string&) {});
  return logger;
}

}  // namespace outbox::observe
