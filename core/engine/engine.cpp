#include "engine/engine.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace outbox::engine {

using publish::Outcome;

Engine::Engine(const Settings& settings)
    : settings_(settings), random_(settings.seed), events_(settings.window_events) {
  assert(!settings.policies.empty() && settings.batch_events > 0 &&
         settings.window_events >= 2 * settings.batch_events);
  free_.reserve(events_.size());
  for (EventIndex e = settings.window_events; e-- > 0;) free_.push_back(e);
}

void Engine::Advance(Time now) { now_ = std::max(now_, now); }

// ---- lease ----

void Engine::LeaseHeld(Time until, bool careful) {
  if (mode_ == Mode::kLost) return;
  lease_until_ = until;
  if (mode_ != Mode::kStandby) return;
  careful_ = false;
  if (careful) BeCareful();
  first_step_ = careful;
  mode_ = Mode::kActive;
  must_sweep_ = true;
  next_read_ = now_;
}

void Engine::LeaseLost() {
  if (mode_ == Mode::kStandby || mode_ == Mode::kLost) return;
  mode_ = Mode::kLost;
  ++counters_.leases_lost;
  owed_since_ = OwedSince();
  read_is_stale_ = reserving_;
  DropQueued();
  // Whoever has the lease now reads these rows himself; writing about them would be refused.
  for (const FailedEvent& f : to_fail_) Settle(f.event);
  for (const EventIndex e : to_release_) Settle(e);
  to_fail_.clear();
  to_release_.clear();
  if (!WriterOf(Write::kMark).busy) mark_ = Mark::kNone;
  if (in_flight_ > 0) StartReset(false);
}

void Engine::Retire(Time deadline) {
  retire_by_ = deadline;
  if (mode_ == Mode::kLost) return;
  mode_ = Mode::kRetiring;
  read_is_stale_ = reserving_;
  DropQueued();
}

// ---- storage ----

BatchIndex Engine::Reserved(const Reservation& reservation, std::span<const Incoming> events) {
  assert(reserving_ && events.size() <= free_.size());
  reserving_ = false;
  more_ = reservation.more;
  read_failures_ = 0;
  counters_.reserved += events.size();

  BatchIndex b = 0;
  if (free_batches_.empty()) {
    b = static_cast<BatchIndex>(batches_.size());
    batches_.emplace_back();
  } else {
    b = free_batches_.back();
    free_batches_.pop_back();
  }
  batches_[b] = {static_cast<std::uint32_t>(events.size()), reservation.arena_bytes, reservation.until,
                 reservation.drain_first};
  bytes_ += reservation.arena_bytes;
  if (events.empty()) empty_batches_.push_back(b);

  bool useful = false;
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    const Incoming& in = events[i];
    const EventIndex e = free_.back();
    free_.pop_back();
    events_[e] = {in.key_hash, b, i, in.lane, 0, in.attempts, in.policy, State::kQueued, in.has_key};
    if (read_is_stale_ || IsHeld(events_[e])) {
      Drop(e);
    } else if (in.refused) {
      Fail(e, 0);
      useful = true;
    } else {
      queue_.push_back(e);
      if (in.attempts > 0) HoldKey(e, Hold::Why::kRetried);
      useful = true;
    }
  }
  read_is_stale_ = false;
  // Nothing is left that the broker could owe an answer to, be it that somebody else had it or that it was deleted.
  if (InHand() == 0 && !resetting_ && !reservation.more) owed_since_ = kForever;
  EndRead();
  if (careful_) BeginCarefulStep(events.empty() && !reservation.more);

  if (useful) {
    poll_gap_ = settings_.min_poll;
    next_read_ = reservation.more ? now_ : now_ + poll_gap_;
  } else {
    poll_gap_ = std::clamp(2 * poll_gap_, settings_.min_poll, settings_.poll_interval);
    next_read_ = reservation.more ? now_ : now_ + poll_gap_;
  }
  polls_ = true;
  if (std::exchange(woken_, false)) Wake();
  return b;
}

void Engine::ReserveFailed(outbox_code code) {
  assert(reserving_);
  reserving_ = more_ = false;
  read_is_stale_ = false;
  must_sweep_ = true;  // rows may have been read and not arrived
  EndRead();
  next_read_ = now_ + Backoff(settings_.min_backoff, settings_.max_backoff, ++read_failures_);
  polls_ = woken_ = false;
  if (code == OUTBOX_LEASE_LOST && lease_until_ != kForever) LeaseLost();
}

void Engine::Wake() {
  if (reserving_) {
    woken_ = true;
  } else if (polls_) {
    poll_gap_ = settings_.min_poll;
    next_read_ = std::min(next_read_, std::max(now_, last_read_ + settings_.min_poll));
  }
}

void Engine::EndRead() {
  for (auto it = holds_.begin(); it != holds_.end();) it = it->second.why == Hold::Why::kBarrier ? LiftHold(it) : ++it;
}

// The storage keeps the key's later events back from here on. Any that was dropped meanwhile may stand *before* the
// failed one, so it must be read before the failed one comes back.
Engine::Holds::iterator Engine::LiftHold(Holds::iterator hold) {
  if (!hold->second.passed) return holds_.erase(hold);
  hold->second.why = Hold::Why::kSweep;
  hold->second.head = kNobody;
  must_sweep_ = true;
  return ++hold;
}

bool Engine::IsHeld(const Event& event) {
  if (holds_.empty() || !MayHold(event)) return false;
  const auto hold = holds_.find(event.key_hash);
  if (hold == holds_.end()) return false;
  hold->second.passed = true;
  return true;
}

void Engine::Written(Write what, outbox_code code) {
  Writer& writer = WriterOf(what);
  assert(writer.busy);
  writer.busy = false;
  if (code != OUTBOX_OK && (what == Write::kConfirm || code != OUTBOX_LEASE_LOST)) {
    if (what == Write::kConfirm || mode_ != Mode::kLost) {
      writer.not_before = now_ + Backoff(settings_.min_backoff, settings_.max_backoff, ++writer.failures);
      return;
    }
  }
  writer.failures = 0;
  if (what == Write::kFail) {
    for (const FailedEvent& f : failing_) FailWritten(f, code == OUTBOX_OK);
    failing_.clear();
  } else {
    std::vector<EventIndex>& events = EventsOf(what);
    for (const EventIndex e : events) {
      if (what == Write::kConfirm) {
        ++counters_.confirmed;
        FreeKey(e);
      }
      Settle(e);
    }
    events.clear();
  }
  if (code != OUTBOX_LEASE_LOST) return;
  must_sweep_ = true;
  if (lease_until_ != kForever) LeaseLost();
}

void Engine::FailWritten(const FailedEvent& f, bool committed) {
  if (committed) {
    ++counters_.failed;
    if (f.disposition == OUTBOX_DEAD) ++counters_.dead;
    if (f.disposition == OUTBOX_BLOCK) ++counters_.blocked;
  }
  const auto hold = holds_.find(events_[f.event].key_hash);
  if (MayHold(events_[f.event]) && hold != holds_.end() && hold->second.head == f.event) {
    if (!committed || f.disposition == OUTBOX_DEAD) {
      FreeKey(f.event);
    } else if (reserving_) {
      hold->second.why = Hold::Why::kBarrier;
    } else {
      LiftHold(hold);
    }
  }
  Settle(f.event);
}

// ---- broker ----

void Engine::Reported(std::span<const publish::Report> reports) {
  for (const publish::Report& r : reports) {
    if (!Awaits(r)) continue;
    Event& event = events_[r.event];
    const bool alone = group_limit_ == 1 && group_sent_ == 1;
    --in_flight_;
    LaneState& lane = LaneOf(event.lane);
    --lane.in_flight;
    const Time sent = flights_[event.flight - first_flight_].at;
    --flights_[event.flight - first_flight_].open;
    while (!flights_.empty() && flights_.front().open == 0) {
      flights_.pop_front();
      ++first_flight_;
      if (!resetting_) owed_since_ = kForever;
    }
    switch (r.outcome) {
      case Outcome::kStored:
        lane.proven = now_;
        event.state = State::kAcked;
        if (acked_.empty()) first_acked_ = now_;
        acked_.push_back(r.event);
        ++counters_.stored;
        broker_failures_ = 0;
        break;
      case Outcome::kUnknown:
        event.state = State::kUnknown;
        StartReset(true);
        owed_since_ = std::min(owed_since_, sent);
        break;
      case Outcome::kRefused:
        if (alone) {
          if (mode_ == Mode::kLost)
            event.state = State::kUnknown;
          else
            Fail(r.event, r.error);
        } else {
          // Whom the broker meant is not known: its neighbours in the request are refused with it.
          event.state = State::kUnknown;
          if (next_group_limit_ == 0)
            next_group_limit_ = std::max(1u, (group_limit_ > 0 ? group_limit_ : in_flight_ + 1) / 8);
        }
        StartReset(false);
        break;
    }
  }
}

void Engine::ProducerFailed() { StartReset(true); }

void Engine::StartReset(bool outage) {
  if (resetting_) return;
  resetting_ = true;
  ++counters_.resets;
  must_sweep_ = true;
  read_is_stale_ = reserving_;
  DropQueued();
  next_read_ = now_;
  BreakCarefulStep(outage);
  if (outage) owed_since_ = OwedSince();
  if (outage) {
    next_read_ += Backoff(settings_.min_backoff, settings_.max_backoff, ++broker_failures_);
    polls_ = false;
  }
  commands_.push_back({.what = Do::kReset, .epoch = epoch_ + 1});
}

void Engine::ResetDone(std::uint32_t epoch) {
  if (!resetting_ || epoch != epoch_ + 1) return;
  epoch_ = epoch;
  resetting_ = false;
  flights_.clear();
  first_flight_ = next_flight_;
  in_flight_ = 0;
  group_sent_ = 0;
  if (next_group_limit_ > 0) group_limit_ = std::exchange(next_group_limit_, 0);
  for (EventIndex e = 0; e < events_.size(); ++e) {
    if (events_[e].state != State::kSent && events_[e].state != State::kUnknown) continue;
    ++counters_.sent_again;
    if (OUTBOX_MUTANT(kRestartInReportOrder)) {
      events_[e].state = State::kQueued;
      queue_.push_front(e);
      continue;
    }
    Drop(e);
  }
}

// ---- giving up and settling ----

void Engine::DropQueued() {
  for (const EventIndex e : queue_) Drop(e);
  queue_.clear();
}

void Engine::Drop(EventIndex e) {
  FreeKey(e);
  if (settings_.marks_rows && mode_ != Mode::kLost) {
    events_[e].state = State::kReleasing;
    to_release_.push_back(e);
  } else {
    Settle(e);
  }
}

void Engine::Fail(EventIndex e, std::int32_t error) {
  Event& event = events_[e];
  event.state = State::kFailing;
  FailedEvent failed{e, OUTBOX_RETRY, 0, error};
  const FailurePolicy& policy = settings_.policies[event.policy];
  if (event.attempts + 1 >= policy.max_attempts || error == publish::kEndsRelays) {
    failed.disposition = policy.on_exhausted;
  } else {
    failed.retry_after = Backoff(policy.retry_backoff, policy.max_retry_backoff, event.attempts + 1);
  }
  to_fail_.push_back(failed);
  if (OUTBOX_MUTANT(kOptimisticDeadLetter) && failed.disposition == OUTBOX_DEAD) return FreeKey(e);
  HoldKey(e, Hold::Why::kFailing);
}

// Reads ascend, so what is in hand of the key already stands before the head and goes its way; what arrives later waits.
void Engine::HoldKey(EventIndex head, Hold::Why why) {
  const Event& event = events_[head];
  if (!MayHold(event)) return;
  Hold& hold = holds_[event.key_hash];
  hold.why = why;
  hold.head = head;
}

// The event that a key waited for is out of the way; what was passed by meanwhile must be read first.
void Engine::FreeKey(EventIndex e) {
  if (holds_.empty() || !MayHold(events_[e])) return;
  const auto hold = holds_.find(events_[e].key_hash);
  if (hold == holds_.end() || hold->second.head != e) return;
  hold->second.why = Hold::Why::kSweep;
  hold->second.head = kNobody;
  must_sweep_ = true;
  next_read_ = std::min(next_read_, now_);
}

void Engine::Settle(EventIndex e) {
  events_[e].state = State::kSettled;
  settled_.push_back(e);
}

// ---- small parts ----

Engine::LaneState& Engine::LaneOf(publish::Lane lane) {
  if (lane >= lanes_.size()) lanes_.resize(lane + 1);
  if (lanes_[lane].epoch != epoch_) lanes_[lane] = {epoch_, 0, -kForever};
  return lanes_[lane];
}

// Doubles with each failure up to the cap; jitter of up to a quarter, so that relays do not come back in step.
Time Engine::Backoff(Time base, Time cap, std::uint32_t failures) {
  Time wait = base;
  for (std::uint32_t i = 1; i < failures && wait < cap; ++i) wait *= 2;
  wait = std::min(wait, cap);
  random_ += 0x9e3779b97f4a7c15u;  // SplitMix64
  std::uint64_t x = random_;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  x ^= x >> 31;
  return wait - static_cast<Time>(x % static_cast<std::uint64_t>(wait / 4 + 1));
}

void Engine::Emit(Do what, std::span<const EventIndex> events) {
  const auto first = static_cast<std::uint32_t>(arguments_.size());
  arguments_.insert(arguments_.end(), events.begin(), events.end());
  commands_.push_back({what, false, epoch_, 0, first, static_cast<std::uint32_t>(events.size())});
}

}  // namespace outbox::engine
