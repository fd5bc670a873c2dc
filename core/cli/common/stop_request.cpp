#include "cli/common/stop_request.hpp"

#include <utility>

namespace outbox::cli {

StopRequest::StopRequest(StopHooks hooks)
    : signals_(
          [this, stopping = std::move(hooks.stopping)](int signal) {
            if (stopping) stopping(signal);
            Set(signal);
          },
          std::move(hooks.ignored)) {}

void StopRequest::Set(int reason) {
  const std::lock_guard lock(mutex_);
  reason_ = reason;
  changed_.notify_all();
}

bool StopRequest::WaitFor(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return reason_ != 0; });
}

int StopRequest::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return reason_ != 0; });
  return reason_;
}

}  // namespace outbox::cli
