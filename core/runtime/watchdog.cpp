#include "runtime/watchdog.hpp"

#include <algorithm>

#include "util/log.hpp"

namespace outbox::runtime {
namespace {

constexpr auto kCheckInterval = std::chrono::milliseconds(500);

// True if the call has taken much longer than its timeout. A peer may use the whole timeout, and the plugin may take
// longer to notice. Client libraries that count in whole seconds and apply the timeout to each step of a connect
// separately turn a timeout of 1 s into more than 3 s.
bool IsOverdue(engine::Time age, engine::Time allowed) { return age > 2 * allowed + 4 * engine::kSecond; }

std::string Seconds(engine::Time t) { return fmt::format("{:.1f} s", static_cast<double>(t) / engine::kSecond); }

}  // namespace

void WatchdogHandle::Enter(const char* call, engine::Time allowed) {
  const std::lock_guard lock(mutex_);
  call_ = call;
  since_ = Now();
  allowed_ = allowed;
}

void WatchdogHandle::Leave() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(reported_, false))
    returned_.push_back(fmt::format("{} has returned from {} after {}", who_, call_, Seconds(Now() - since_)));
  call_ = nullptr;
}

std::string CallUnderWay::Text() const {
  return fmt::format("{} has been in {} for {} (allowed: {})", who, call, Seconds(age), Seconds(allowed));
}

Watchdog::Watchdog(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::shared_ptr<WatchdogHandle> Watchdog::Watch(std::string who, WatchdogHandle::Duty duty) {
  auto handle = std::make_shared<WatchdogHandle>(std::move(who), duty);
  const std::lock_guard lock(mutex_);
  handles_.push_back(handle);
  return handle;
}

std::vector<CallUnderWay> Watchdog::UnderWay(engine::Time now) const {
  std::vector<CallUnderWay> calls;
  for (const auto& handle : Handles()) {
    const std::lock_guard lock(handle->mutex_);
    if (handle->call_ == nullptr) continue;
    const engine::Time age = std::max<engine::Time>(0, now - handle->since_);
    calls.push_back({handle->who_, handle->call_, age, handle->allowed_, handle->duty_ == WatchdogHandle::Duty::kVital,
                     IsOverdue(age, handle->allowed_)});
  }
  return calls;
}

void Watchdog::Run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kCheckInterval, [this] { return stop_; })) {
    lock.unlock();
    Check();
    lock.lock();
  }
}

void Watchdog::Check() {
  const engine::Time now = Now();
  for (const auto& handle : Handles()) {
    std::vector<std::string> returned;
    CallUnderWay call;
    {
      const std::lock_guard lock(handle->mutex_);
      returned.swap(handle->returned_);
      const engine::Time age = now - handle->since_;
      if (handle->call_ != nullptr && !handle->reported_ && IsOverdue(age, handle->allowed_)) {
        handle->reported_ = true;
        call = {handle->who_, handle->call_, age, handle->allowed_};
      }
    }
    for (const std::string& text : returned) util::LogInfo(*logger_, "{}", text);
    if (!call.call.empty())
      util::LogError(*logger_, "{}: call appears to hang; restart the process if it does not return", call.Text());
  }
}

std::vector<std::shared_ptr<WatchdogHandle>> Watchdog::Handles() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<WatchdogHandle>> handles;
  std::erase_if(handles_, [&](const auto& weak) {
    auto handle = weak.lock();
    if (handle == nullptr) return true;
    handles.push_back(std::move(handle));
    return false;
  });
  return handles;
}

}  // namespace outbox::runtime
