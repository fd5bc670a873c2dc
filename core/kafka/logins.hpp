// Decides with which secrets a producer logs in, and when to make another producer after a login was refused.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kafka/settings.hpp"
#include "kafka/try_gap.hpp"

namespace outbox::kafka {

// KafkaPublisher owns one object, and TrialSender owns another one. Thread: the thread of the owner that makes
// producers
class Logins {
 public:
  explicit Logins(const Settings& settings) : settings_(settings), in_use_(settings.properties) { files_ = Files(); }

  // Returns the properties for the next producer, with the current secrets. If the current secrets were refused,
  // returns the properties that worked before. If those are refused as well, which happens once the broker, too, has
  // the new secrets, returns the properties with the current secrets again.
  [[nodiscard]] Properties Choose();
  // Notes that the login of the producer in use was refused.
  void Refused();
  // Notes that the login of the producer in use has worked. Returns true if other properties had worked before.
  bool Worked();
  [[nodiscard]] bool refused() const { return refused_; }
  // Returns true if the producer in use logs in with the properties that worked before, because new ones were refused.
  // Returns true only once for each time that new properties were refused.
  [[nodiscard]] bool TakeFallBack();
  // Returns true if the last login was refused and another producer may be able to log in: a secret or a file has
  // changed, the properties that worked before are to be tried, or, unless `only_news`, the last attempt was long
  // enough ago.
  [[nodiscard]] bool WorthATry(bool only_news);

 private:
  // Returns a text that changes whenever a file that the properties name is changed or replaced.
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
