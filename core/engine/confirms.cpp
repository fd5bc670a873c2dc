#include "engine/confirms.hpp"

#include <algorithm>
#include <utility>

namespace outbox::engine {

bool Confirms::Take(Time now, bool gather) {
  if (!slot_.Ready(now)) return false;
  if (confirming_.empty() && !narrowed_.empty()) {
    confirming_ = std::move(narrowed_.back());
    narrowed_.pop_back();
  }
  if (confirming_.empty() && now >= GatheredAt(gather)) {
    const auto n = static_cast<std::ptrdiff_t>(std::min<std::size_t>(waiting_.size(), settings_.events_at_once()));
    confirming_.assign(waiting_.begin(), waiting_.begin() + n);
    waiting_.erase(waiting_.begin(), waiting_.begin() + n);
  }
  return !confirming_.empty();
}

Time Confirms::GatheredAt(bool gather) const {
  if (waiting_.empty()) return kForever;
  return gather && waiting_.size() < settings_.batch_events ? first_waits_since_ + settings_.confirm_gather : 0;
}

Time Confirms::NextCall(bool gather) const {
  if (slot_.busy()) return kForever;
  if (!confirming_.empty() || !narrowed_.empty()) return slot_.not_before();
  return std::max(GatheredAt(gather), slot_.not_before());
}

std::optional<EventIndex> Confirms::Narrow() {
  if (confirming_.size() == 1) {
    const EventIndex refused = confirming_.front();
    confirming_.clear();
    return refused;
  }
  const auto half = confirming_.begin() + static_cast<std::ptrdiff_t>(confirming_.size() / 2);
  narrowed_.emplace_back(half, confirming_.end());
  confirming_.erase(half, confirming_.end());
  return std::nullopt;
}

std::string Confirms::FindBrokenInvariant(const EventTable& events) const {
  std::vector<bool> seen(events.slots());
  std::size_t listed = 0, acknowledged = 0;
  bool good = true;
  const auto check = [&](const std::vector<EventIndex>& group) {
    for (const EventIndex e : group) {
      good = good && !seen[e] && events[e].state() == EventState::kAcknowledged;
      seen[e] = true;
      ++listed;
    }
  };
  check(waiting_);
  check(confirming_);
  for (const auto& group : narrowed_) check(group);
  for (EventIndex e = 0; e < events.slots(); ++e)
    acknowledged += events[e].state() == EventState::kAcknowledged ? 1 : 0;
  if (!good) return "confirms: an event is confirmed twice, or without an acknowledgement";
  return listed == acknowledged ? "" : "confirms: an acknowledged event is not confirmed";
}

}  // namespace outbox::engine
