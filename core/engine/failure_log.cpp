#include "engine/failure_log.hpp"

#include <spdlog/logger.h>

#include <utility>

namespace outbox::engine {
namespace {

constexpr std::uint32_t kLinesPerSecond = 10;

}  // namespace

FailureLog::FailureLog(std::shared_ptr<spdlog::logger> logger, std::string summary)
    : logger_(std::move(logger)), summary_(std::move(summary)) {}

void FailureLog::Add(Time now, const std::function<std::string()>& line) {
  Flush(now);
  if (now >= second_ends_) {
    second_ends_ = now + kSecond;
    lines_ = 0;
  }
  if (lines_ == kLinesPerSecond) {
    ++left_out_;
    return;
  }
  ++lines_;
  logger_->warn("{}", line());
}

void FailureLog::Flush(Time now) {
  if (left_out_ == 0 || now < second_ends_) return;
  logger_->warn("{} more {} {}", left_out_, left_out_ == 1 ? "event" : "events", summary_);
  left_out_ = 0;
}

}  // namespace outbox::engine
