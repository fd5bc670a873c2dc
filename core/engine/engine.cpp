#include "engine/engine.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace outbox::engine {

using publisher::Outcome;

Engine::Engine(const Settings& settings) : settings_(settings), backoff_(settings.seed) {
  assert(!settings.policies.empty() && settings.batch_events > 0 &&
         settings.window_events >= 2 * settings.batch_events);
}

void Engine::Advance(Time now) { now_ = std::max(now_, now); }

// ---- lease ----

void Engine::LeaseHeld(Time until, bool slow_start) {
  if (mode_ == Mode::kLost) return;
  lease_until_ = until;
  if (mode_ != Mode::kStandby) return;
  slow_start_ = false;
  if (slow_start) BeginSlowStart();
  first_step_ = slow_start;
  mode_ = Mode::kActive;
  must_rewind_ = true;
  next_read_ = now_;
  next_removal_ = now_ + settings_.removal_interval;
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
  cannot_record_ = failures_unrecorded_ = false;
  if (!SlotOf(Write::kMark).busy) mark_ = Mark::kNone;
  if (in_flight_ > 0) StartReset(false);
  if (!trials_.empty()) StartTrialReset();
}

void Engine::Retire(Time deadline) {
  retire_by_ = deadline;
  if (mode_ == Mode::kLost) return;
  mode_ = Mode::kRetiring;
  read_is_stale_ = reserving_;
  DropQueued();
  GiveUpRecords();
}

// ---- storage ----

BatchIndex Engine::Reserved(const Reservation& reservation, std::span<const Incoming> events) {
  assert(reserving_);
  reserving_ = false;
  if (!rescan_step_) {
    more_ = reservation.more;
    new_rows_wait_ =
        more_ && std::any_of(events.begin(), events.end(), [](const Incoming& e) { return e.attempts == 0; });
  }
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
                 reservation.token, reservation.drain_first};
  bytes_ += reservation.arena_bytes;
  if (events.empty()) empty_batches_.push_back(b);

  MakeRoom(events.size());
  bool useful = false, crowded = std::exchange(skips_retries_, false);
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    const Incoming& in = events[i];
    const EventIndex e = free_.back();
    free_.pop_back();
    events_[e] = {in.key_hash, b, i, in.lane, 0, in.attempts, in.policy, State::kQueued, in.has_key, in.doubtful};
    const bool held = read_is_stale_ || IsHeld(events_[e]);
    // A retry for which there is no room stays due, and is read again when others of its kind have had their turn. One that
    // would fail again at once has room while no more than a batch of failures waits for its record.
    const bool beyond_room =
        !in.returned && in.attempts > 0 &&
        (in.refused ? AwaitingRecord() >= settings_.batch_events : retried_.size() >= settings_.max_retried());
    crowded = crowded || beyond_room;
    if (held || beyond_room) {
      Drop(e);
      continue;
    }
    useful = true;
    if (in.returned) {
      RecordDelivered(e, Kept::kCameBack);
    } else if (in.refused) {
      Fail(e, 0);
    } else {
      queue_.push_back(e);
      if (in.attempts > 0) HoldKey(e, Hold::Why::kRetried);
    }
  }
  EndRead();
  if (std::exchange(rescan_step_, false)) {
    // After a reset the next read rewinds, and that ends the rescan.
    if (!std::exchange(read_is_stale_, false)) EndRescanStep(reservation.rescan);
    if (std::exchange(woken_, false)) Wake();
    return b;
  }
  read_is_stale_ = false;
  // Nothing is left that the broker could owe an answer to, be it that somebody else had it or that it was deleted.
  if (Outstanding() == 0 && !resetting_ && !reservation.more) owed_since_ = kForever;
  passed_over_ = events.empty() && reservation.more;
  if (slow_start_ && !passed_over_) BeginSlowStartStep(events.empty());

  PacePolls(useful, crowded, reservation.more);
  polls_ = true;
  if (std::exchange(woken_, false)) Wake();
  return b;
}

void Engine::ReserveFailed(outbox_code code) {
  assert(reserving_);
  reserving_ = more_ = skips_retries_ = false;
  read_is_stale_ = rescan_step_ = false;
  must_rewind_ = true;  // rows may have been read and not arrived
  EndRead();
  next_read_ = now_ + backoff_.After(++read_failures_, settings_.min_backoff, settings_.max_backoff);
  polls_ = woken_ = false;
  if (code == OUTBOX_LEASE_LOST && lease_until_ != kForever) LeaseLost();
}

void Engine::EndRead() {
  for (const std::uint64_t key : barriers_) {
    const auto hold = holds_.find(key);
    if (hold != holds_.end() && hold->second.why == Hold::Why::kBarrier) LiftHold(hold);
  }
  barriers_.clear();
}

// The storage keeps the key's later events back from here on. Any that was dropped meanwhile may stand *before* the
// failed one, so it must be read before the failed one comes back.
void Engine::LiftHold(Holds::iterator hold) {
  if (hold->second.passed)
    AwaitRescan(hold->second);
  else
    holds_.erase(hold);
}

void Engine::AwaitRescan(Hold& hold) {
  hold.why = Hold::Why::kRescan;
  hold.head = kNobody;
  hold.since = rescan_;
  must_rescan_ = true;
  if (OUTBOX_MUTANT(kRewindOnSettle)) {
    must_rewind_ = true;
    next_read_ = std::min(next_read_, now_);
  }
}

// What the reading dropped during the rescan stands above where the rescan ends, unless that is where the reading is now:
// then the rescan has found it.
void Engine::EndRescanStep(std::uint32_t reached) {
  next_step_ = now_ + std::min(settings_.rescan_rest * (now_ - step_began_), settings_.max_rescan_rest);
  if (OUTBOX_MUTANT(kKeyGoesOnEarly)) reached = OUTBOX_RESCAN_DONE;
  if (reached == OUTBOX_RESCAN_GOES_ON) return;
  rescanning_ = false;
  for (auto it = holds_.begin(); it != holds_.end();) {
    Hold& hold = it->second;
    if (hold.why != Hold::Why::kRescan || hold.since == rescan_) {
      ++it;
    } else if (reached == OUTBOX_RESCAN_DONE || hold.missed != rescan_) {
      it = holds_.erase(it);
    } else {
      AwaitRescan(hold);
      ++it;
    }
  }
}

bool Engine::IsHeld(const Event& event) {
  if (holds_.empty() || !MayHold(event)) return false;
  const auto hold = holds_.find(event.key_hash);
  if (hold == holds_.end()) return false;
  // A rescan that began after the key's trouble was over meets all of its events, from the first one on.
  if (rescan_step_ && hold->second.why == Hold::Why::kRescan && hold->second.since != rescan_) return false;
  hold->second.passed = true;
  hold->second.missed = rescan_;
  return true;
}

// ---- broker ----

void Engine::Reported(std::span<const publisher::Report> reports) {
  for (const publisher::Report& r : reports) {
    if (!Awaits(r)) continue;
    if (publisher::IsTrial(r.epoch)) {
      TrialReported(r);
      continue;
    }
    Event& event = events_[r.event];
    --in_flight_;
    LaneState& lane = LaneOf(event.lane);
    --lane.in_flight;
    const Time sent = flights_[event.flight - first_flight_].at;
    --flights_[event.flight - first_flight_].open;
    if (event.flight == first_flight_) moved_ = now_;
    while (!flights_.empty() && flights_.front().open == 0) {
      flights_.pop_front();
      ++first_flight_;
      if (!resetting_) owed_since_ = kForever;
    }
    switch (r.outcome) {
      case Outcome::kAcknowledged:
        lane.proven = now_;
        event.state = State::kAcked;
        if (acked_.empty()) first_acked_ = now_;
        acked_.push_back(r.event);
        ++counters_.acknowledged;
        broker_failures_ = 0;
        break;
      case Outcome::kUnknown:
        event.state = State::kUnknown;
        StartReset(true);
        owed_since_ = std::min(owed_since_, sent);
        break;
      case Outcome::kRefused:
        // Which one the broker meant is not known: its neighbours in the request are refused with it.
        event.state = State::kUnknown;
        refused_ = true;
        Suspect(event.lane);
        StartReset(false);
        break;
    }
  }
}

void Engine::ProducerFailed() { StartReset(true); }

void Engine::ProducerOutdated() { StartReset(false); }

void Engine::StartReset(bool outage) {
  if (resetting_) return;
  resetting_ = true;
  ++counters_.resets;
  must_rewind_ = true;
  read_is_stale_ = reserving_;
  DropQueued();
  next_read_ = now_;
  BreakSlowStartStep(outage);
  outage_ = outage;
  if (outage) owed_since_ = OwedSince();
  commands_.push_back({.what = Do::kReset, .epoch = epoch_ + 1});
}

void Engine::ResetDone(std::uint32_t epoch) {
  if (publisher::IsTrial(epoch)) return TrialResetDone(epoch);
  if (!resetting_ || epoch != epoch_ + 1) return;
  epoch_ = epoch;
  resetting_ = false;
  flights_.clear();
  first_flight_ = next_flight_;
  in_flight_ = 0;
  next_read_ = now_;
  if (std::exchange(refused_, false) && !OUTBOX_MUTANT(kRefusalIsOutage)) {
    broker_failures_ = 0;
    owed_since_ = kForever;
  } else if (outage_) {
    next_read_ += backoff_.After(++broker_failures_, settings_.min_backoff, settings_.max_backoff);
    polls_ = false;
  }
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
  for (std::deque<EventIndex>* waiting : {&suspected_, &retried_}) {
    for (const EventIndex e : *waiting) {
      LeaveTrial(e, false);
      Drop(e);
    }
    waiting->clear();
  }
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

void Engine::MakeRoom(std::size_t events) {
  if (free_.size() >= events) return;
  const auto first = static_cast<EventIndex>(events_.size());
  events_.resize(events_.size() + events - free_.size());
  for (auto e = static_cast<EventIndex>(events_.size()); e-- > first;) free_.push_back(e);
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
  AwaitRescan(hold->second);
}

void Engine::Settle(EventIndex e) {
  events_[e].state = State::kSettled;
  settled_.push_back(e);
}

// ---- small parts ----

Engine::LaneState& Engine::LaneOf(publisher::Lane lane) {
  if (lane >= lanes_.size()) lanes_.resize(lane + 1);
  if (lanes_[lane].epoch != epoch_) lanes_[lane] = {epoch_, 0, -kForever};
  return lanes_[lane];
}

void Engine::Emit(Do what, std::span<const EventIndex> events) {
  const auto first = static_cast<std::uint32_t>(arguments_.size());
  arguments_.insert(arguments_.end(), events.begin(), events.end());
  commands_.push_back({what, false, epoch_, 0, first, static_cast<std::uint32_t>(events.size())});
}

}  // namespace outbox::engine
