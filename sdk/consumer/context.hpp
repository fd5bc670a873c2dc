// The state that the threads of a consumer share while it runs.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "dead_letters.hpp"
#include "outbox/consumer.hpp"
#include "slots.hpp"
#include "totals.hpp"

namespace outbox::consumer {

// The handler of an event type. INVARIANT: exactly one of `one` and `batch` is set.
struct Route {
  Handler one;
  BatchHandler batch;
};

// The state of one run, from Start() until the consumer has stopped. The consumer owns it. Thread: any.
struct Context {
  const Settings& settings;
  const std::map<std::string, std::shared_ptr<const Route>, std::less<>>& routes;
  Totals& totals;
  // Ends the run for the given reason. If there are several reasons, Consumer::failure() returns the first. Thread:
  // any.
  std::function<void(const std::string&)> fail;

  rd_kafka_t* handle = nullptr;
  DeadLetters* dead_letters = nullptr;  // Set if one of the policies is kDeadLetter.
  Slots slots{settings.concurrency};

  // Writes a line to the application's log, if there is one.
  void Log(LogLevel level, std::string_view line) const {
    if (settings.log) settings.log(level, line);
  }
};

// While the object exists, it marks the current thread as one that runs a handler, `setup` or `cleanup`.
// Consumer::Stop() refuses a call on such a thread, because it waits for that thread to end.
class Inside {
 public:
  Inside() { ++depth_; }
  ~Inside() { --depth_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  // Returns true if a handler, `setup` or `cleanup` runs on the calling thread.
  static bool Here() { return depth_ > 0; }

 private:
  static inline thread_local int depth_ = 0;
};

}  // namespace outbox::consumer
