#include "runtime/source_watch.hpp"

#include "util/log.hpp"

namespace outbox::runtime {

SourceWatch::SourceWatch(std::shared_ptr<storage::Store> store, std::shared_ptr<WatchdogHandle> handle,
                         config::Duration interval, Millis timeout, std::shared_ptr<spdlog::logger> logger)
    : interval_(interval),
      call_{0, 0, timeout},
      logger_(std::move(logger)),
      connection_(std::move(store), PeerHealth::Nobodys(), std::move(handle)),
      thread_([this] { Run(); }) {}

SourceWatch::~SourceWatch() {
  Stop();
  thread_.join();
}

void SourceWatch::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  connection_.Cancel();
}

std::string SourceWatch::Problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

void SourceWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    Note(connection_.Use("verify_source", call_,
                         [&](storage::Session& session) { return session.VerifySource(call_); }));
    lock.lock();
    changed_.wait_for(lock, interval_, [this] { return stop_; });
  }
}

// Notes the result of a check. If the database has not answered, the previous result stays.
void SourceWatch::Note(const Status& status) {
  if (!status.ok() && status.code() != OUTBOX_BAD_CONFIG) return;
  {
    const std::lock_guard lock(mutex_);
    if (problem_ == status.text()) return;
    problem_ = status.text();
  }
  if (status.ok())
    util::LogInfo(*logger_, "the capture of rows is in place again");
  else
    util::LogError(*logger_, "{}; continuing with the rows that are in the outbox", status.text());
}

}  // namespace outbox::runtime
