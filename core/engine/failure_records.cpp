#include "engine/failure_records.hpp"

#include <algorithm>

namespace outbox::engine {

bool FailureRecords::Take(Time now) {
  if (!queue_.slot.Ready(now)) return false;
  if (queue_.writing.empty())
    queue_.TakeUnderOneToken(settings_.batch_events, [](const FailedEvent& failed) { return failed.token; });
  if (queue_.writing.empty()) return false;
  began_ = now;
  return true;
}

void FailureRecords::Answered(bool refused) {
  unrecorded_ = refused;
  cannot_record_ = refused && std::any_of(queue_.writing.begin(), queue_.writing.end(), [](const FailedEvent& failed) {
                     return failed.disposition == OUTBOX_DELIVERED;
                   });
}

void FailureRecords::Done(Time now, bool rest, bool new_rows_wait) {
  queue_.writing.clear();
  if (!rest) return;
  const bool room = size() + settings_.batch_events <= settings_.max_awaiting_record;
  const Time times = new_rows_wait && room ? settings_.record_rest : 1;
  queue_.slot.RestUntil(now + std::min(times * (now - began_), settings_.max_record_rest));
}

std::string FailureRecords::FindBrokenInvariant(const EventTable& events) const {
  std::vector<bool> seen(events.slots());
  std::size_t failing = 0;
  bool good = true;
  const auto check = [&](const FailedEvent& failed) {
    good = good && !seen[failed.event] && events[failed.event].state() == EventState::kFailing;
    seen[failed.event] = true;
  };
  for (const FailedEvent& failed : queue_.waiting) check(failed);
  for (const FailedEvent& failed : queue_.writing) {
    check(failed);
    good = good && failed.token == queue_.writing.front().token;
  }
  for (EventIndex e = 0; e < events.slots(); ++e) failing += events[e].state() == EventState::kFailing ? 1 : 0;
  if (!good) return "failure records: an event is recorded twice, without a failure, or under another token";
  if (failing != size()) return "failure records: a failed event is not recorded";
  return cannot_record_ && !unrecorded_ ? "failure records: CannotRecord() is true although Unrecorded() is false" : "";
}

}  // namespace outbox::engine
