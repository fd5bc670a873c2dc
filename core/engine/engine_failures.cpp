#include <algorithm>

#include "engine/engine.hpp"

// Events that have failed, until that is recorded.

namespace outbox::engine {

void Engine::AwaitRecord(const FailedEvent& failed) {
  events_[failed.event].state = State::kFailing;
  to_fail_.push_back(failed);
  to_fail_.back().token = batches_[events_[failed.event].batch].token;
  detached_.push_back(failed.event);
}

// A stop waits for no more than a batch of failures: the rest fails again where it is read next. What is delivered would
// be sent again there.
void Engine::GiveUpRecords() {
  const auto kept = std::min<std::ptrdiff_t>(std::ssize(to_fail_), settings_.batch_events);
  const auto given_up = std::remove_if(to_fail_.begin() + kept, to_fail_.end(), [this](const FailedEvent& f) {
    if (f.disposition == OUTBOX_DELIVERED) return false;
    FreeKey(f.event);
    Settle(f.event);
    return true;
  });
  to_fail_.erase(given_up, to_fail_.end());
}

void Engine::Fail(EventIndex e, std::int32_t error) {
  const Event& event = events_[e];
  FailedEvent failed{e, OUTBOX_RETRY, 0, error};
  const FailurePolicy& policy = settings_.policies[event.policy];
  if (event.attempts + 1 >= policy.max_attempts || error == publisher::kEndsRelays) {
    failed.disposition = policy.on_exhausted;
  } else {
    failed.retry_after = backoff_.After(event.attempts + 1, policy.retry_backoff, policy.max_retry_backoff);
  }
  AwaitRecord(failed);
  if (OUTBOX_MUTANT(kOptimisticDeadLetter) && failed.disposition == OUTBOX_DEAD) return FreeKey(e);
  HoldKey(e, Hold::Why::kFailing);
}

// Recording leaves half of the time to those who insert, or most of it to the reading: behind a great many that fail others
// may wait to be read.
Time Engine::RecordRest() const {
  const bool room = AwaitingRecord() + settings_.batch_events <= settings_.max_awaiting_record;
  return new_rows_wait_ && room ? settings_.record_rest : 1;
}

// A great many may wait for their record, so they keep nothing of their payload.
void Engine::FlushDetached() {
  if (detached_.empty()) return;
  Emit(Do::kDetach, detached_);
  for (const EventIndex e : detached_) {
    events_[e].left_batch = true;
    const BatchIndex b = events_[e].batch;
    if (--batches_[b].left == 0) FreeBatch(b);
  }
  detached_.clear();
}

}  // namespace outbox::engine
