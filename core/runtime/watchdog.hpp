// Reports calls that do not return. A thread that hangs in a plugin or a library cannot be recovered, because that code
// is not the relay's, but the log can name it. The watchdog ends nothing: the lease expires by itself, and a relay
// elsewhere continues.
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

// One thread's entry at the watchdog, in which it notes the call that it makes. Owned by the code that makes the calls.
class WatchdogHandle {
 public:
  enum class Duty : std::uint8_t {
    kVital,  // events stop moving while this thread hangs
    kSpare,  // events move without this thread
  };

  WatchdogHandle(std::string who, Duty duty) : who_(std::move(who)), duty_(duty) {}

  // A call begins. `call` must be a literal. `allowed` is the timeout that was passed to the call, in microseconds.
  void Enter(const char* call, engine::Time allowed);
  // The call has returned.
  void Leave();

 private:
  friend class Watchdog;

  const std::string who_;
  const Duty duty_;
  std::mutex mutex_;
  const char* call_ = nullptr;  // nullptr = in none
  engine::Time since_ = 0, allowed_ = 0;
  bool reported_ = false;              // the call was logged as overdue
  std::vector<std::string> returned_;  // lines, not logged yet, about overdue calls that have returned
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
  std::string who;  // "reader of shard 0"
  std::string call;
  engine::Time age = 0, allowed = 0;
  bool vital = false;
  bool overdue = false;

  [[nodiscard]] std::string Text() const;
};

// Thread: any.
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
