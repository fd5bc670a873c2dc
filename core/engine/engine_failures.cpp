// Engine functions that admit, fail, drop and settle events, and react to the storage's answers to the writes about
// them.
#include <algorithm>

#include "engine/engine.hpp"

namespace outbox::engine {
namespace {

// The pause before the next read when the storage has refused a write because the reservation marks on its rows have
// expired. The pause applies only to storages that mark rows. Without the pause, an adapter that refuses such writes by
// mistake would be called again as fast as it can answer.
constexpr Time kMarksLostPause = kSecond;
// The pause before the second attempt to remove a row: the obstacle may have been a temporary lock.
constexpr Time kFirstRemoval = 10 * kSecond;

// True if repeating the call cannot change the answer.
bool IsFinal(outbox_code code) {
  switch (code) {
    case OUTBOX_UNSUPPORTED:
    case OUTBOX_BAD_CONFIG:
    case OUTBOX_BAD_DATA:
    case OUTBOX_INTERNAL:
    case OUTBOX_REFUSED:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Engine::Admit(EventIndex e, const Incoming& event) {
  if (event.returned) return RecordDelivered(e, Kept::kCameBack);
  if (event.refused || (OUTBOX_MUTANT(kTopicIsCharged) && event.waits)) return Fail(e, 0);
  window_.Enqueue(e);
  if (event.attempts > 0) HoldKey(e, HoldState::kRetried);
}

// Drops an event whose topic is not known yet. The event is not charged an attempt, and is not kept in memory, because
// the topic may have more events than the window holds. An event that has failed before is due again with the next
// read, and until then the storage holds back the later events of its key.
void Engine::AwaitTopic(EventIndex e) {
  const Event& event = events_[e];
  if (event.attempts == 0) {
    if (event.ordered && !OUTBOX_MUTANT(kTopicHoldsNoKey)) holds_.HoldForTopic(event.key_hash);
    reads_.NoteWaiting(now_);
  }
  Drop(e);
}

void Engine::Fail(EventIndex e, std::int32_t error) {
  const Event& event = events_[e];
  FailedEvent failed{e, OUTBOX_RETRY, 0, error, events_.Token(e)};
  const FailurePolicy& policy = settings_.policies[event.policy];
  if (event.attempts + 1 >= policy.max_attempts || error == publisher::kEndsRelays) {
    failed.disposition = policy.on_exhausted;
  } else {
    failed.retry_after = backoff_.After(event.attempts + 1, policy.retry_backoff, policy.max_retry_backoff);
  }
  events_.Detach(e);
  records_.Add(failed);
  if (OUTBOX_MUTANT(kOptimisticDeadLetter) && failed.disposition == OUTBOX_DEAD) return FreeKey(e);
  HoldKey(e, HoldState::kFailing);
}

void Engine::RecordDelivered(EventIndex e, Kept why) {
  confirms_.NoteKept(now_);
  // The new owner of the shard sends the event again and meets the same obstacle.
  if (lease_.IsLost()) return events_.Settle(e);
  // A row that comes back after each removal is left to an operator: another removal would only cause its event to be
  // sent once more.
  const Time most = settings_.policies[events_[e].policy].max_retry_backoff;
  const Time again = why == Kept::kCameBack ? kNotByItself : std::min(kFirstRemoval, most);
  records_.Add({e, OUTBOX_DELIVERED, again, static_cast<std::int32_t>(why), events_.Token(e)});
  events_.Detach(e);
}

void Engine::ConfirmAnswered(outbox_code code, std::span<const std::uint8_t> kept) {
  WriteSlot& slot = confirms_.slot();
  slot.End();
  if (code == OUTBOX_REFUSED && !OUTBOX_MUTANT(kConfirmRefusalIsOutage)) {
    slot.Succeeds();
    if (const auto refused = confirms_.Narrow()) RecordDelivered(*refused, Kept::kRefused);
    return;
  }
  if (code != OUTBOX_OK) return slot.Fails(now_, backoff_, settings_);
  slot.Succeeds();
  const std::span<const EventIndex> confirmed = confirms_.confirming();
  for (std::size_t i = 0; i < confirmed.size(); ++i) {
    const EventIndex e = confirmed[i];
    if (i < kept.size() && kept[i] != 0) {
      RecordDelivered(e, Kept::kStillThere);
      continue;
    }
    confirms_.NoteRemoved();
    ++counters_.confirmed;
    FreeKey(e);
    events_.Settle(e);
  }
  confirms_.Done();
}

void Engine::FailureAnswered(outbox_code code) {
  WriteSlot& slot = records_.slot();
  slot.End();
  const bool refused = IsFinal(code);
  // A drain does not wait for a failure that the storage refuses to record: the next owner of the shard meets the same
  // refusal. During a drain the refusal is not remembered, because under the next lease there may be nothing to record.
  records_.Answered(refused && lease_.IsOwner());
  const bool given_up = (refused && lease_.IsDraining()) || code == OUTBOX_LEASE_LOST || lease_.IsLost();
  if (code != OUTBOX_OK && !given_up) return slot.Fails(now_, backoff_, settings_);
  slot.Succeeds();
  for (const FailedEvent& failed : records_.recording()) FailureRecorded(failed, code == OUTBOX_OK);
  records_.Done(now_, lease_.IsOwner(), reads_.NewRowsWait());
  if (code == OUTBOX_LEASE_LOST) LeaseOfRowsLost();
}

void Engine::FailureRecorded(const FailedEvent& failed, bool committed) {
  const Event& event = events_[failed.event];
  const bool delivered = failed.disposition == OUTBOX_DELIVERED, dead = failed.disposition == OUTBOX_DEAD;
  if (committed) {
    ++(delivered ? counters_.undeletable : counters_.failed);
    if (delivered && failed.retry_after != kNotByItself) removals_.Recorded(now_, failed.retry_after);
    if (dead) ++counters_.dead;
    if (failed.disposition == OUTBOX_BLOCK) ++counters_.blocked;
  }
  if (!committed || dead || delivered)
    FreeKey(failed.event);
  else if (event.ordered)
    holds_.Recorded(event.key_hash, failed.event, reads_.reading());
  events_.Settle(failed.event);
}

void Engine::ReleaseAnswered(outbox_code code) {
  WriteSlot& slot = releases_.slot;
  slot.End();
  if (code != OUTBOX_OK && code != OUTBOX_LEASE_LOST && !lease_.IsLost()) return slot.Fails(now_, backoff_, settings_);
  slot.Succeeds();
  for (const EventIndex e : releases_.writing) events_.Settle(e);
  releases_.writing.clear();
  if (code == OUTBOX_LEASE_LOST) LeaseOfRowsLost();
}

// Reacts to the answer OUTBOX_LEASE_LOST to a write. If the storage has no leases of shards, the answer means that
// the reservation marks on the rows have expired.
void Engine::LeaseOfRowsLost() {
  reads_.Rewind();
  if (lease_.CanEnd()) return LoseLease(false);
  reads_.MakeStale();  // the answer to the read under way must not end the pause
  reads_.PauseUntil(now_ + kMarksLostPause);
}

void Engine::Drop(EventIndex e) {
  FreeKey(e);
  if (events_.Until(e) == kForever || lease_.IsLost()) return events_.Settle(e);
  events_.Move(events_[e], EventState::kReleasing);
  releases_.waiting.push_back(e);
}

// Drops the later events of the head's key. They are read again when the hold on the key ends.
void Engine::DropBehind(EventIndex head) {
  if (!events_[head].ordered) return;
  const std::uint64_t key = events_[head].key_hash;
  const auto drop = [this, key](EventIndex e) {
    holds_.NoteDropped(key);
    Drop(e);
  };
  trials_.DropWaitingOfKey(key, drop);
  window_.DropQueued([key](const Event& event) { return event.ordered && event.key_hash == key; }, drop);
}

void Engine::HoldKey(EventIndex head, HoldState why) {
  if (events_[head].ordered) holds_.Hold(events_[head].key_hash, head, why);
}

}  // namespace outbox::engine
