// What to do next, given all that has happened.
#include <algorithm>
#include <utility>

#include "engine/engine.hpp"

namespace outbox::engine {
void Engine::Pump() {
  CheckDeadlines();
  EndSlowStartStep();
  PumpPublish();
  PumpTrials();
  FlushDetached();
  PumpWrites();
  FlushSettled();
  PumpReserve();
  PumpRetirement();
}

void Engine::CheckDeadlines() {
  const bool holds_lease = mode_ == Mode::kActive || mode_ == Mode::kRetiring;
  if (holds_lease && lease_until_ != kForever && now_ >= lease_until_ - settings_.lease_margin) LeaseLost();
  if (in_flight_ > 0) {
    if (now_ >= flights_.front().at + settings_.delivery_timeout) StartReset(true);
    if (now_ >= flights_.front().until - settings_.lease_margin) StartReset(false);
    if (mode_ == Mode::kRetiring && now_ >= retire_by_) StartReset(false);
  }
  for (const Trial& trial : trials_) {
    if (now_ < std::min(trial.at + settings_.delivery_timeout, trial.until - settings_.lease_margin) &&
        (mode_ != Mode::kRetiring || now_ < retire_by_))
      continue;
    StartTrialReset();
    break;
  }
  for (const std::deque<EventIndex>* waiting : {&queue_, &suspected_, &retried_}) {
    if (!waiting->empty() && now_ >= batches_[events_[waiting->front()].batch].until - settings_.lease_margin)
      StartReset(false);
  }
}

void Engine::PumpPublish() {
  if (mode_ != Mode::kActive || resetting_ || queue_.empty() || mark_ == Mark::kWanted || mark_ == Mark::kWriting)
    return;
  if (cannot_record_) return;
  if (GathersRecords()) return;
  const auto first = static_cast<std::uint32_t>(arguments_.size());
  Flight flight{now_, kForever, 0};
  while (!queue_.empty()) {
    const EventIndex e = queue_.front();
    Event& event = events_[e];
    BatchState& batch = batches_[event.batch];
    if (batch.drain_first && (in_flight_ > 0 || !suspected_.empty() || !retried_.empty() || !trials_.empty())) break;
    batch.drain_first = false;
    if (GoesAlone(event)) {
      queue_.pop_front();
      QueueTrial(e, next_flight_ + (flight.open > 0 ? 1 : 0));
      continue;
    }
    LaneState& lane = LaneOf(event.lane);
    if (lane.in_flight > 0 && now_ - lane.proven > settings_.lane_idle) break;
    queue_.pop_front();
    event.state = State::kSent;
    event.flight = next_flight_;
    flight.until = std::min(flight.until, batch.until);
    ++flight.open;
    ++lane.in_flight;
    ++in_flight_;
    arguments_.push_back(e);
    if (OUTBOX_MUTANT(kConfirmBeforeAck)) {
      event.state = State::kAcked;
      acked_.push_back(e);
    }
  }
  if (flight.open == 0) return;
  flights_.push_back(flight);
  ++next_flight_;
  counters_.sent += flight.open;
  commands_.push_back({Do::kPublish, false, epoch_, 0, first, flight.open});
}

// In a backlog, while the broker has work and more rows are on their way: of many records at once there are more for each
// partition, so requests are fewer and larger, and the broker pays for each.
bool Engine::GathersRecords() const {
  return more_ && in_flight_ > 0 && queue_.size() < settings_.records_at_once() && (reserving_ || CanReserve());
}

void Engine::PumpWrites() {
  const auto ready = [this](Write w) { return !SlotOf(w).busy && now_ >= SlotOf(w).not_before; };
  if (ready(Write::kConfirm)) {
    if (confirming_.empty() && !narrowed_.empty()) {
      confirming_ = std::move(narrowed_.back());
      narrowed_.pop_back();
    }
    if (confirming_.empty() && now_ >= ConfirmDue()) {
      const std::size_t n = std::min<std::size_t>(acked_.size(), std::size_t{4} * settings_.batch_events);
      confirming_.assign(acked_.begin(), acked_.begin() + static_cast<std::ptrdiff_t>(n));
      acked_.erase(acked_.begin(), acked_.begin() + static_cast<std::ptrdiff_t>(n));
    }
    if (!confirming_.empty()) EmitWrite(Write::kConfirm, Do::kConfirm);
  }
  if (ready(Write::kFail)) {
    if (failing_.empty()) TakeUnderOneToken(to_fail_, failing_, [](const FailedEvent& f) { return f.token; });
    if (!failing_.empty()) {
      SlotOf(Write::kFail).busy = true;
      record_began_ = now_;
      commands_.push_back({.what = Do::kFail});
    }
  }
  if (mode_ == Mode::kActive && ready(Write::kRemove) && now_ >= next_removal_) {
    SlotOf(Write::kRemove).busy = true;
    commands_.push_back({.what = Do::kRemove});
  }
  if (mark_ == Mark::kWanted && queue_.empty()) mark_ = Mark::kNone;
  if (ready(Write::kMark) && MarkDue()) EmitMark();
  if (ready(Write::kRelease)) {
    if (releasing_.empty())
      TakeUnderOneToken(to_release_, releasing_, [this](EventIndex e) { return batches_[BatchOf(e)].token; });
    if (!releasing_.empty()) EmitWrite(Write::kRelease, Do::kRelease);
  }
}

// Each confirm costs the database a transaction, so those that follow each other closely go together: as long as reports
// are still to come, until there is a batch of them, or the first one has waited.
Time Engine::ConfirmDue() const {
  if (acked_.empty()) return kForever;
  const bool together =
      mode_ == Mode::kActive && !resetting_ && InFlight() > 0 && acked_.size() < settings_.batch_events;
  return together ? first_acked_ + settings_.confirm_gather : 0;
}

void Engine::EmitWrite(Write what, Do command) {
  SlotOf(what).busy = true;
  Emit(command, EventsOf(what));
}

void Engine::FlushSettled() {
  for (const BatchIndex b : empty_batches_) FreeBatch(b);
  empty_batches_.clear();
  if (settled_.empty()) return;
  Emit(Do::kForget, settled_);
  for (const EventIndex e : settled_) {
    Event& event = events_[e];
    event.state = State::kFree;
    free_.push_back(e);
    if (!event.left_batch && --batches_[event.batch].left == 0) FreeBatch(event.batch);
  }
  settled_.clear();
}

void Engine::FreeBatch(BatchIndex b) {
  bytes_ -= batches_[b].arena_bytes;
  free_batches_.push_back(b);
  commands_.push_back({.what = Do::kFreeBatch, .batch = b});
}

void Engine::PumpRetirement() {
  if (mode_ != Mode::kRetiring && mode_ != Mode::kLost) return;
  if (Outstanding() > 0 || resetting_ || resetting_trials_ || reserving_ || SlotOf(Write::kMark).busy) return;
  mode_ = Mode::kStandby;
  mark_ = Mark::kNone;
  holds_.clear();
  suspects_.clear();
  commands_.push_back({.what = Do::kRetired});
}

Time Engine::NextDeadline() const {
  Time next = kForever;
  const auto by = [&next](Time t) { next = std::min(next, t); };
  if (mode_ == Mode::kActive || mode_ == Mode::kRetiring) by(lease_until_ - settings_.lease_margin);
  if (CanReserve()) by(NextRead());
  if (!resetting_) {
    if (in_flight_ > 0) {
      by(flights_.front().at + settings_.delivery_timeout);
      by(flights_.front().until - settings_.lease_margin);
      if (mode_ == Mode::kRetiring) by(retire_by_);
    }
    for (const std::deque<EventIndex>* waiting : {&queue_, &suspected_, &retried_})
      if (!waiting->empty()) by(batches_[events_[waiting->front()].batch].until - settings_.lease_margin);
  }
  if (!resetting_trials_) {
    for (const Trial& trial : trials_) {
      by(std::min(trial.at + settings_.delivery_timeout, trial.until - settings_.lease_margin));
      if (mode_ == Mode::kRetiring) by(retire_by_);
    }
    if (now_ < next_trial_ && !(suspected_.empty() && retried_.empty())) by(next_trial_);
  }
  const WriteSlot& confirms = write_slots_[static_cast<std::size_t>(Write::kConfirm)];
  if (confirming_.empty() && narrowed_.empty() && !confirms.busy) by(std::max(ConfirmDue(), confirms.not_before));
  if (mode_ == Mode::kActive && !write_slots_[static_cast<std::size_t>(Write::kRemove)].busy) by(next_removal_);
  const bool pending[] = {!confirming_.empty() || !narrowed_.empty(), !failing_.empty() || !to_fail_.empty(),
                          !releasing_.empty() || !to_release_.empty(), MarkDue()};
  for (std::size_t w = 0; w < 4; ++w) {
    if (pending[w] && !write_slots_[w].busy) by(write_slots_[w].not_before);
  }
  return next < kForever / 2 ? next : kForever;  // no lease, no margin before its end
}

}  // namespace outbox::engine
