// What the threads of a run share.
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

// One of the two is set.
struct Route {
  Handler one;
  BatchHandler batch;
};

struct Context {
  const Settings& settings;
  const std::map<std::string, std::shared_ptr<const Route>, std::less<>>& routes;
  Totals& totals;
  std::function<void(const std::string&)> fail;  // [any] the run ends; the first reason stays

  rd_kafka_t* handle = nullptr;
  Admin* dead_letters = nullptr;  // where a policy asks for it
  Slots slots{settings.concurrency};

  void Log(LogLevel level, std::string_view line) const {
    if (settings.log) settings.log(level, line);
  }
};

// Inside a handler, setup or cleanup, where Stop would wait for itself.
class Inside {
 public:
  Inside() { ++depth_; }
  ~Inside() { --depth_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  static bool Here() { return depth_ > 0; }

 private:
  static inline thread_local int depth_ = 0;
};

}  // namespace outbox::consumer
