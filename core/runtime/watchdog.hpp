// Reports calls that do not return. The relay cannot recover a thread that hangs in the code of a plugin or a library,
// but the log can name the call. The watchdog ends nothing: the lease expires by itself, and another relay continues.
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

// The watchdog's entry for one thread. The thread notes its calls in the entry. Owned by the code that makes the calls.
class WatchdogHandle {
 public:
  enum class Duty : std::uint8_t {
    kVital,  // events stop moving while this thread hangs
    kSpare,  // events move without this thread
  };

  WatchdogHandle(std::string who, Duty duty) : who_(std::move(who)), duty_(duty) {}

  // Notes that a call begins. `call` must be a literal. `allowed` is the timeout that was passed to the call, in
  // microseconds.
  void Enter(const char* call, engine::Time allowed);
  // Notes that the call has returned.
  void Leave();

 private:
  friend class Watchdog;

  const std::string who_;
  const Duty duty_;
  std::mutex mutex_;
  const char* call_ = nullptr;  // nullptr = no call is under way
  engine::Time since_ = 0, allowed_ = 0;
  bool reported_ = false;              // true if the call was logged as overdue
  std::vector<std::string> returned_;  // log lines about overdue calls that have returned, not logged yet
};

// Notes one call for as long as this object lives.
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
  std::string who;  // such as "reader of shard 0"
  std::string call;
  engine::Time age = 0, allowed = 0;
  bool vital = false;
  bool overdue = false;

  [[nodiscard]] std::string Text() const;
};

// Watches the calls of all handles and logs those that are overdue. Thread: any.
class Watchdog {
 public:
  explicit Watchdog(std::shared_ptr<spdlog::logger> logger);
  ~Watchdog();

  // Returns a handle, which is watched for as long as the caller keeps it.
  [[nodiscard]] std::shared_ptr<WatchdogHandle> Watch(std::string who,
                                                      WatchdogHandle::Duty duty = WatchdogHandle::Duty::kVital);
  [[nodiscard]] std::vector<CallUnderWay> UnderWay(engine::Time now) const;

 private:
  void Run();
  void Check();
  [[nodiscard]] std::vector<std::shared_ptr<WatchdogHandle>> Handles() const;

  const std::shared_ptr<spdlog::logger> logger_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  mutable std::vector<std::weak_ptr<WatchdogHandle>> handles_;
  std::thread thread_;
};

}  // namespace outbox::runtime
