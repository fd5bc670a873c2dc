// Logs lines about failed events, but only a limited number per second, because a missing topic may fail a million
// events. Events without a line are counted in one line at the end of the second, so each failure is reported within a
// second.
#pragma once

#include <spdlog/fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/settings.hpp"

namespace outbox::runtime {

// Owned by ShardRunner. Thread: engine.
class FailureLog {
 public:
  // `summary` completes the line "5 more events …": it says what happened to these events and where they are listed.
  FailureLog(std::shared_ptr<spdlog::logger> logger, std::string summary);

  // Logs `line()`. If this second already has the maximum number of lines, only counts the event.
  void Add(engine::Time now, const std::function<std::string()>& line);
  // Logs the number of events without a line, once the second in which they failed is over. REQUIRES: the caller calls
  // this function again at Due().
  void Flush(engine::Time now);
  // Returns the time at which the next Flush is due; kForever if every event has a line.
  [[nodiscard]] engine::Time Due() const { return left_out_ > 0 ? second_ends_ : engine::kForever; }

 private:
  const std::shared_ptr<spdlog::logger> logger_;
  const std::string summary_;
  engine::Time second_ends_ = 0;
  std::uint32_t lines_ = 0;  // lines logged in this second
  std::uint64_t left_out_ = 0;
};

}  // namespace outbox::runtime
