#include "runtime/failure_policies.hpp"

#include <fnmatch.h>

#include "runtime/clock.hpp"

namespace outbox::runtime {
namespace {

engine::FailurePolicy ForEngine(const config::FailurePolicy& p) {
  return {p.max_attempts, p.on_exhausted == config::OnExhausted::kBlock ? OUTBOX_BLOCK : OUTBOX_DEAD,
          Micros(p.retry_backoff), Micros(p.max_retry_backoff)};
}

}  // namespace

FailurePolicies::FailurePolicies(const config::Relay& relay) : others_(relay.failures), topics_(relay.topics) {}

std::vector<engine::FailurePolicy> FailurePolicies::All() const {
  std::vector<engine::FailurePolicy> all{ForEngine(others_)};
  all.reserve(topics_.size() + 1);
  for (const config::TopicPolicy& topic : topics_) all.push_back(ForEngine(topic.failures));
  return all;
}

std::uint16_t FailurePolicies::Of(std::string_view topic) const {
  if (topics_.empty()) return 0;
  const std::string name(topic);
  for (std::size_t i = 0; i < topics_.size(); ++i)
    if (fnmatch(topics_[i].pattern.c_str(), name.c_str(), 0) == 0) return static_cast<std::uint16_t>(i + 1);
  return 0;
}

}  // namespace outbox::runtime
