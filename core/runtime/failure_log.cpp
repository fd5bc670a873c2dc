#include "runtime/failure_log.hpp"

#include <utility>

#include "util/log.hpp"

namespace outbox::runtime {
namespace {

constexpr std::uint32_t kLinesPerSecond = 10;

}  // namespace

FailureLog::FailureLog(std::shared_ptr<spdlog::logger> logger, std::string summary)
    : logger_(std::move(logger)), summary_(std::move(summary)) {}

void FailureLog::Add(engine::Time now, const std::function<std::string()>& line) {
  Flush(now);
  if (now >= second_ends_) {
    second_ends_ = now + engine::kSecond;
    lines_ = 0;
  }
  if (lines_ == kLinesPerSecond) {
    ++left_out_;
    return;
  }
  ++lines_;
  util::LogWarning(*logger_, "{}", line());
}

void FailureLog::Flush(engine::Time now) {
  if (left_out_ == 0 || now < second_ends_) return;
  util::LogWarning(*logger_, "{} more {} {}", left_out_, left_out_ == 1 ? "event" : "events", summary_);
  left_out_ = 0;
}

}  // namespace outbox::runtime
