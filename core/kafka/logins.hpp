// Which secrets a producer logs in with, and when another producer may do better after a login was refused.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kafka/settings.hpp"
#include "kafka/try_gap.hpp"

namespace outbox::kafka {

// Thread: events
class Logins {
 public:
  explicit Logins(const Settings& settings) : settings_(settings), in_use_(settings.properties) { files_ = Files(); }

  // For the next producer: the properties as they are now. Those that were refused give way to the ones that worked before,
  // until these are refused as well, as they are when the broker has followed.
  [[nodiscard]] Properties Choose();
  // The login of the producer in use was refused.
  void Refused();
  // It worked. True if others had worked before.
  bool Worked();
  [[nodiscard]] bool refused() const { return refused_; }
  // True if the producer in use logs in with properties that have been replaced, because the new ones were refused. Once
  // for each that was refused.
  [[nodiscard]] bool TakeFallBack();
  // True if another producer may be able to log in: a secret or a file has changed, or, unless `only_news`, the last try
  // was long enough ago.
  [[nodiscard]] bool WorthATry(bool only_news);

 private:
  // What identifies the content of the files that the properties name.
  [[nodiscard]] std::string Files() const;

  const Settings& settings_;
  Properties in_use_;
  std::optional<Properties> worked_, rejected_;
  bool fell_back_ = false;
  std::string files_;
  Properties seen_;
  std::string seen_files_;
  bool refused_ = false;
  TryGap gap_;
  std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace outbox::kafka
