#include "runtime/backlog_reader.hpp"

#include <algorithm>

#include "runtime/relay.hpp"
#include "util/log.hpp"

namespace outbox::runtime {
namespace {

// After a query that has succeeded, the reader pauses for at least this many times as long as the query took. The
// database needs about a second to count a hundred thousand failures, and must not be kept busy with counting.
constexpr engine::Time kPausePerQuery = 20;

}  // namespace

BacklogReader::BacklogReader(const Relay& relay, std::shared_ptr<storage::Store> store, config::Duration interval,
                             config::Duration timeout, std::shared_ptr<spdlog::logger> logger)
    : relay_(relay),
      call_{0, 0, timeout},
      interval_(interval),
      logger_(std::move(logger)),
      connection_(std::move(store), PeerHealth::Nobodys(),
                  relay.watchdog()->Watch("reader of the backlog", WatchdogHandle::Duty::kSpare)) {
  seen_.interval = Micros(interval);
  thread_ = std::thread([this] { Run(); });
}

BacklogReader::~BacklogReader() {
  (void)Stop(std::chrono::milliseconds(0));
  thread_.join();
}

BacklogObservation BacklogReader::Observe() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

bool BacklogReader::Stop(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  if (!std::exchange(stop_, true)) {
    changed_.notify_all();
    lock.unlock();
    connection_.Cancel();
    lock.lock();
  }
  return changed_.wait_for(lock, timeout, [this] { return ended_; });
}

void BacklogReader::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_ && seen_.supported) {
    const engine::Time began = Now();
    lock.unlock();
    Query();
    lock.lock();
    // A failed query has waited for a lock or an answer and counted nothing, so the time that it took says nothing
    // about the next query.
    const engine::Time took = Now() - began;
    if (!seen_.last_failed) seen_.interval = std::max(Micros(interval_), kPausePerQuery * took);
    const engine::Time pause = seen_.last_failed ? std::max(Micros(interval_), took) : seen_.interval;
    changed_.wait_for(lock, std::chrono::microseconds(pause), [this] { return stop_; });
  }
  ended_ = true;
  changed_.notify_all();
}

void BacklogReader::Query() {
  const engine::Time now = Now();
  const std::uint64_t left = relay_.Observe().LeftBehind();
  auto stats = connection_.Use("stats", call_, [&](storage::Session& session) { return session.ReadStats(call_); });
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    seen_.last_failed = !stats.ok();
    seen_.supported = stats.status().code() != OUTBOX_UNSUPPORTED;
    if (stats.ok()) {
      seen_.stats = std::move(*stats);
      seen_.looked_at = now;
      seen_.left_then = left;
    }
  }
  LogChange(stats.status());
}

void BacklogReader::LogChange(const Status& status) {
  if (status.code() == OUTBOX_UNSUPPORTED) {
    util::LogInfo(*logger_, "the storage plugin cannot report the backlog; /metrics and /status do not show it");
  } else if (status.ok() == failing_) {
    failing_ = !failing_;
    if (failing_)
      util::LogWarning(
          *logger_,
          "cannot read the backlog: {}; retrying; /metrics and /status omit it once the last reading is too old",
          status.text());
    else
      util::LogInfo(*logger_, "backlog reading recovered");
  }
}

}  // namespace outbox::runtime
