// What becomes of an event that keeps failing: by its topic.
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

  // For Settings::policies: first the one of all other topics, then the configuration's in its order.
  [[nodiscard]] std::vector<engine::FailurePolicy> All() const;
  // Its index there.
  [[nodiscard]] std::uint16_t Of(std::string_view topic) const;

 private:
  const config::FailurePolicy others_;
  const std::vector<config::TopicPolicy> topics_;
};

}  // namespace outbox::runtime
