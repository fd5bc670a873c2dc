#include "runtime/watchdog.hpp"

#include <spdlog/logger.h>

#include <algorithm>

namespace outbox::runtime {
namespace {

constexpr auto kLookInterval = std::chrono::milliseconds(500);

// Peers may use up the whole of the time and the plugin some more to notice: client libraries that know whole seconds, and
// count each of the steps of a connect by itself, make more than 3 s of one.
bool IsOverdue(engine::Time age, engine::Time allowed) { return age > 2 * allowed + 4 * engine::kSecond; }

std::string Seconds(engine::Time t) { return fmt::format("{:.1f} s", static_cast<double>(t) / engine::kSecond); }

}  // namespace

void Post::Enter(const char* call, engine::Time allowed) {
  const std::lock_guard lock(mutex_);
  call_ = call;
  since_ = Now();
  allowed_ = allowed;
}

void Post::Leave() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(told_, false))
    returned_.push_back(fmt::format("{} has returned from {} after {}", who_, call_, Seconds(Now() - since_)));
  call_ = nullptr;
}

std::string CallUnderWay::Text() const {
  return fmt::format("{} has been in {} for {}, where {} were allowed", who, call, Seconds(age), Seconds(allowed));
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

std::shared_ptr<Post> Watchdog::Watch(std::string who, Post::Duty duty) {
  auto post = std::make_shared<Post>(std::move(who), duty);
  const std::lock_guard lock(mutex_);
  posts_.push_back(post);
  return post;
}

std::vector<CallUnderWay> Watchdog::UnderWay(engine::Time now) const {
  std::vector<CallUnderWay> calls;
  for (const auto& post : Posts()) {
    const std::lock_guard lock(post->mutex_);
    if (post->call_ == nullptr) continue;
    const engine::Time age = std::max<engine::Time>(0, now - post->since_);
    calls.push_back({post->who_, post->call_, age, post->allowed_, post->duty_ == Post::Duty::kVital,
                     IsOverdue(age, post->allowed_)});
  }
  return calls;
}

void Watchdog::Run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kLookInterval, [this] { return stop_; })) {
    lock.unlock();
    Look();
    lock.lock();
  }
}

void Watchdog::Look() {
  const engine::Time now = Now();
  for (const auto& post : Posts()) {
    std::vector<std::string> returned;
    CallUnderWay call;
    {
      const std::lock_guard lock(post->mutex_);
      returned.swap(post->returned_);
      const engine::Time age = now - post->since_;
      if (post->call_ != nullptr && !post->told_ && IsOverdue(age, post->allowed_)) {
        post->told_ = true;
        call = {post->who_, post->call_, age, post->allowed_};
      }
    }
    for (const std::string& text : returned) logger_->info("{}", text);
    if (!call.call.empty())
      logger_->error("{}: it hangs; where it does not return, this process has to be started anew", call.Text());
  }
}

std::vector<std::shared_ptr<Post>> Watchdog::Posts() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Post>> posts;
  std::erase_if(posts_, [&](const auto& weak) {
    auto post = weak.lock();
    if (post == nullptr) return true;
    posts.push_back(std::move(post));
    return false;
  });
  return posts;
}

}  // namespace outbox::runtime
