// Tells of calls that do not return. A plugin or a library is somebody else's code: a thread that is lost in it cannot be
// brought back, but it can be named. Nothing is ended by this: the lease runs out by itself, and a relay elsewhere goes on.
#pragma once

#include <spdlog/fwd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "outbox/adapter.hpp"
#include "runtime/clock.hpp"

namespace outbox::runtime {

// Where one thread says what it is about to wait for.
class WatchdogHandle {
 public:
  // Does anything move without this thread?
  enum class Duty : std::uint8_t { kVital, kSpare };

  WatchdogHandle(std::string who, Duty duty) : who_(std::move(who)), duty_(duty) {}

  // `call` must be a literal; `allowed` is how long it may take, as it was told itself.
  void Enter(const char* call, engine::Time allowed);
  void Leave();

 private:
  friend class Watchdog;

  const std::string who_;
  const Duty duty_;
  std::mutex mutex_;
  const char* call_ = nullptr;  // nullptr = in none
  engine::Time since_ = 0, allowed_ = 0;
  bool told_ = false;
  std::vector<std::string> returned_;  // what is still to be told of calls that were overdue
};

// For the time of one call.
class Watched {
 public:
  Watched(WatchdogHandle& handle, const char* call, Millis allowed) : handle_(handle) {
    handle_.Enter(call, Micros(allowed));
  }
  ~Watched() { handle_.Leave(); }
  Watched(const Watched&) = delete;

 private:
  WatchdogHandle& handle_;
};

struct CallUnderWay {
  std::string who;  // "reader of shard 0"
  std::string call;
  engine::Time age = 0, allowed = 0;
  bool vital = false;
  bool overdue = false;

  [[nodiscard]] std::string Text() const;
};

class Watchdog {  // any thread
 public:
  explicit Watchdog(std::shared_ptr<spdlog::logger> logger);
  ~Watchdog();

  // Watched for as long as the caller keeps it.
  [[nodiscard]] std::shared_ptr<WatchdogHandle> Watch(std::string who,
                                                      WatchdogHandle::Duty duty = WatchdogHandle::Duty::kVital);
  [[nodiscard]] std::vector<CallUnderWay> UnderWay(engine::Time now) const;

 private:
  void Run();
  void Look();
  [[nodiscard]] std::vector<std::shared_ptr<WatchdogHandle>> Handles() const;

  const std::shared_ptr<spdlog::logger> logger_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  mutable std::vector<std::weak_ptr<WatchdogHandle>> handles_;
  std::thread thread_;
};

}  // namespace outbox::runtime
