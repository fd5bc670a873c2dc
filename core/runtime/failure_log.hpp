// Lines about failed events, at most so many a second: a topic that is missing may fail a million events. What was left out
// is counted in a line of its own when the second is over, so that no failure goes unreported for longer.
#pragma once

#include <spdlog/fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/settings.hpp"

namespace outbox::runtime {

// Thread: one, the engine's.
class FailureLog {
 public:
  // `summary` completes "5 more events " and says what became of them, and where they are listed.
  FailureLog(std::shared_ptr<spdlog::logger> logger, std::string summary);

  void Add(engine::Time now, const std::function<std::string()>& line);
  // Writes the count of what was left out, if it is time; to be called again by Due().
  void Flush(engine::Time now);
  [[nodiscard]] engine::Time Due() const { return left_out_ > 0 ? second_ends_ : engine::kForever; }

 private:
  const std::shared_ptr<spdlog::logger> logger_;
  const std::string summary_;
  engine::Time second_ends_ = 0;
  std::uint32_t lines_ = 0;  // in this second
  std::uint64_t left_out_ = 0;
};

}  // namespace outbox::runtime
