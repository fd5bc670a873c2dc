#include "runtime/waker.hpp"

#include "util/log.hpp"

namespace outbox::runtime {
namespace {

// The longest time for which one call waits. A Stop that comes between two calls takes effect at the end of the next
// call.
const Call kWait{0, 0, Millis(1000)};
// The pause after a failed call.
constexpr auto kAgain = std::chrono::seconds(5);

}  // namespace

Waker::Waker(std::shared_ptr<storage::Store> store, std::shared_ptr<WatchdogHandle> handle,
             std::shared_ptr<spdlog::logger> logger, std::function<void()> woken)
    : logger_(std::move(logger)),
      woken_(std::move(woken)),
      connection_(std::move(store), PeerHealth::Nobodys(), std::move(handle)),
      thread_([this] { Run(); }) {}

Waker::~Waker() {
  Stop();
  thread_.join();
}

void Waker::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  connection_.Cancel();
}

void Waker::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    const auto seen =
        connection_.Use("wait", kWait, [](storage::Session& session) { return session.WaitForRows(kWait); });
    if (seen.ok() && *seen) woken_();
    if (seen.status().code() != OUTBOX_CANCELLED) LogChange(seen.status());
    lock.lock();
    if (!seen.ok()) changed_.wait_for(lock, kAgain, [this] { return stop_; });
  }
}

void Waker::LogChange(const Status& status) {
  if (status.ok() != failing_) return;
  failing_ = !failing_;
  if (failing_)
    util::LogWarning(*logger_, "no wake-ups: {}; retrying; new events wait for the next poll", status.text());
  else
    util::LogInfo(*logger_, "wake-ups available again");
}

}  // namespace outbox::runtime
