#include <algorithm>
#include <cassert>

#include "engine/engine.hpp"

// What the storage has answered to writes. A confirm that is refused is narrowed down by halves to the rows that it is
// refused for; each of these is recorded as delivered and not removable, and the rest goes.

namespace outbox::engine {
namespace {

constexpr Time kFirstRemoval = 10 * kSecond;  // the obstacle may have been a passing lock

// Answers that will not become others by asking again.
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

void Engine::Written(Write what, outbox_code code, std::span<const std::uint8_t> kept) {
  WriteSlot& slot = SlotOf(what);
  assert(slot.busy);
  slot.busy = false;
  if (what == Write::kConfirm && code == OUTBOX_REFUSED && !OUTBOX_MUTANT(kConfirmRefusalIsOutage)) {
    slot.failures = 0;
    return NarrowDown();
  }
  // Whoever has the shard next meets the same: a stop does not wait for a record that the storage refuses.
  const bool refused = what == Write::kFail && IsFinal(code);
  const bool given_up = refused && mode_ == Mode::kRetiring;
  if (what == Write::kFail) {
    const auto is_delivered = [](const FailedEvent& f) { return f.disposition == OUTBOX_DELIVERED; };
    failures_unrecorded_ = refused && mode_ != Mode::kLost;
    cannot_record_ = failures_unrecorded_ && std::any_of(failing_.begin(), failing_.end(), is_delivered);
  }
  if (code != OUTBOX_OK && !given_up && (what == Write::kConfirm || code != OUTBOX_LEASE_LOST)) {
    if (what == Write::kConfirm || mode_ != Mode::kLost) {
      slot.not_before = now_ + backoff_.After(++slot.failures, settings_.min_backoff, settings_.max_backoff);
      return;
    }
  }
  slot.failures = 0;
  if (what == Write::kFail) {
    for (const FailedEvent& f : failing_) FailWritten(f, code == OUTBOX_OK);
    failing_.clear();
    if (mode_ == Mode::kActive)
      slot.not_before = now_ + std::min(RecordRest() * (now_ - record_began_), settings_.max_record_rest);
  } else if (what == Write::kConfirm) {
    ConfirmWritten(kept);
  } else {
    for (const EventIndex e : releasing_) Settle(e);
    releasing_.clear();
  }
  if (code != OUTBOX_LEASE_LOST) return;
  must_rewind_ = true;
  if (lease_until_ != kForever) LeaseLost();
}

void Engine::ConfirmWritten(std::span<const std::uint8_t> kept) {
  for (std::size_t i = 0; i < confirming_.size(); ++i) {
    const EventIndex e = confirming_[i];
    if (i < kept.size() && kept[i] != 0) {
      RecordDelivered(e, Kept::kStillThere);
      continue;
    }
    in_vain_ = 0;
    ++counters_.confirmed;
    FreeKey(e);
    Settle(e);
  }
  confirming_.clear();
}

void Engine::NarrowDown() {
  if (confirming_.size() == 1) {
    RecordDelivered(confirming_.front(), Kept::kRefused);
    return confirming_.clear();
  }
  const auto half = confirming_.begin() + static_cast<std::ptrdiff_t>(confirming_.size() / 2);
  narrowed_.emplace_back(half, confirming_.end());
  confirming_.erase(half, confirming_.end());
}

void Engine::RecordDelivered(EventIndex e, Kept why) {
  if (in_vain_++ == 0) in_vain_since_ = now_;
  // Whoever has the lease now sends it once more, and finds the same.
  if (mode_ == Mode::kLost) return Settle(e);
  // Removing what comes back anyway would only have it sent once more: that is for an operator.
  const Time most = settings_.policies[events_[e].policy].max_retry_backoff;
  const Time again = why == Kept::kCameBack ? kNotByItself : std::min(kFirstRemoval, most);
  AwaitRecord({e, OUTBOX_DELIVERED, again, static_cast<std::int32_t>(why)});
}

void Engine::FailWritten(const FailedEvent& f, bool committed) {
  if (committed) {
    const bool delivered = f.disposition == OUTBOX_DELIVERED;
    ++(delivered ? counters_.undeletable : counters_.failed);
    if (delivered && f.retry_after != kNotByItself) {
      // A second more: `now_` may be from before the storage counted.
      last_removal_due_ = now_ + f.retry_after + kSecond;
      next_removal_ = std::min(next_removal_, last_removal_due_);
    }
    if (f.disposition == OUTBOX_DEAD) ++counters_.dead;
    if (f.disposition == OUTBOX_BLOCK) ++counters_.blocked;
  }
  const auto hold = holds_.find(events_[f.event].key_hash);
  if (MayHold(events_[f.event]) && hold != holds_.end() && hold->second.head == f.event) {
    if (!committed || f.disposition == OUTBOX_DEAD || f.disposition == OUTBOX_DELIVERED) {
      FreeKey(f.event);
    } else if (reserving_) {
      hold->second.why = Hold::Why::kBarrier;
      barriers_.push_back(hold->first);
    } else {
      LiftHold(hold);
    }
  }
  Settle(f.event);
}

void Engine::Removed(outbox_code code, std::uint64_t rows) {
  SlotOf(Write::kRemove).busy = false;
  if (rows > 0) in_vain_ = 0;
  next_removal_ = now_ + settings_.removal_interval;
  if (last_removal_due_ > now_) next_removal_ = std::min(next_removal_, last_removal_due_);
  if (code == OUTBOX_UNSUPPORTED) next_removal_ = kForever;
}

}  // namespace outbox::engine
