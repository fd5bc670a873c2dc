// The failure policies of the configuration, and the choice of the policy for a topic.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "engine/settings.hpp"

namespace outbox::runtime {

class FailurePolicies {
 public:
  explicit FailurePolicies(const config::Relay& relay);

  // Returns the value of engine::Settings::policies: first the policy for topics that match no pattern, then the
  // policies of the topic patterns, in the order of the configuration.
  [[nodiscard]] std::vector<engine::FailurePolicy> All() const;
  // Returns the index in All() of the policy that applies to the topic.
  [[nodiscard]] std::uint16_t Of(std::string_view topic) const;

 private:
  const config::FailurePolicy others_;
  const std::vector<config::TopicPolicy> topics_;
};

}  // namespace outbox::runtime
