#include "runtime/waker.hpp"

#include "util/log.hpp"

namespace outbox::runtime {
namespace {

// A Stop between two calls is met by the end of the next one.
const Call kWait{0, 0, Millis(1000)};
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
    if (seen.status().code() != OUTBOX_CANCELLED) Tell(seen.status());
    lock.lock();
    if (!seen.ok()) changed_.wait_for(lock, kAgain, [this] { return stop_; });
  }
}

void Waker::Tell(const Status& status) {
  if (status.ok() != told_) return;
  told_ = !told_;
  if (told_)
    util::LogWarning(*logger_, "no wake-ups: {}; events wait for the next look at the tables", status.text());
  else
    util::LogInfo(*logger_, "wake-ups are back");
}

}  // namespace outbox::runtime
