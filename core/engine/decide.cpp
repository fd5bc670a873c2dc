#include <algorithm>

#include "engine/engine.hpp"

// What to do next, given all that has happened.

namespace outbox::engine {

void Engine::Pump() {
  CheckDeadlines();
  EndCarefulStep();
  PumpPublish();
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
  if (!queue_.empty() && now_ >= batches_[events_[queue_.front()].batch].until - settings_.lease_margin)
    StartReset(false);
}

void Engine::PumpPublish() {
  if (mode_ != Mode::kActive || resetting_ || queue_.empty() || mark_ == Mark::kWanted || mark_ == Mark::kWriting)
    return;
  if (GathersRecords()) return;
  if (group_limit_ > 0 && group_sent_ > 0 && in_flight_ == 0) {
    group_sent_ = 0;
    group_limit_ = group_limit_ < settings_.window_events ? 2 * group_limit_ : 0;
  }
  const auto first = static_cast<std::uint32_t>(arguments_.size());
  Flight flight{now_, kForever, 0};
  while (!queue_.empty()) {
    const EventIndex e = queue_.front();
    Event& event = events_[e];
    BatchState& batch = batches_[event.batch];
    if (batch.drain_first && in_flight_ > 0) break;
    batch.drain_first = false;
    if (group_limit_ > 0 && group_sent_ >= group_limit_) break;
    LaneState& lane = LaneOf(event.lane);
    if (lane.in_flight > 0 && now_ - lane.proven > settings_.lane_idle) break;
    queue_.pop_front();
    event.state = State::kSent;
    event.flight = next_flight_;
    flight.until = std::min(flight.until, batch.until);
    ++flight.open;
    ++lane.in_flight;
    ++in_flight_;
    ++group_sent_;
    arguments_.push_back(e);
    if (OUTBOX_MUTANT(kConfirmBeforeAck)) {
      event.state = State::kAcked;
      acked_.push_back(e);
    }
  }
  if (flight.open == 0) return;
  flights_.push_back(flight);
  ++next_flight_;
  counters_.published += flight.open;
  commands_.push_back({Do::kPublish, false, epoch_, 0, first, flight.open});
}

// In a backlog, while the broker has work and more rows are on their way: of many records at once there are more for each
// partition, so requests are fewer and larger, and the broker pays for each.
bool Engine::GathersRecords() const {
  return more_ && in_flight_ > 0 && queue_.size() < settings_.records_at_once() && (reserving_ || CanReserve());
}

void Engine::PumpWrites() {
  const auto ready = [this](Write w) { return !WriterOf(w).busy && now_ >= WriterOf(w).not_before; };
  if (ready(Write::kConfirm)) {
    if (confirming_.empty() && now_ >= ConfirmDue()) {
      const std::size_t n = std::min<std::size_t>(acked_.size(), std::size_t{4} * settings_.batch_events);
      confirming_.assign(acked_.begin(), acked_.begin() + static_cast<std::ptrdiff_t>(n));
      acked_.erase(acked_.begin(), acked_.begin() + static_cast<std::ptrdiff_t>(n));
    }
    if (!confirming_.empty()) EmitWrite(Write::kConfirm, Do::kConfirm);
  }
  if (ready(Write::kFail)) {
    if (failing_.empty()) TakeBatch(to_fail_, failing_, [](const FailedEvent& f) { return f.event; });
    if (!failing_.empty()) {
      WriterOf(Write::kFail).busy = true;
      commands_.push_back({.what = Do::kFail});
    }
  }
  if (mark_ == Mark::kWanted && queue_.empty()) mark_ = Mark::kNone;
  if (ready(Write::kMark) && MarkDue()) EmitMark();
  if (ready(Write::kRelease)) {
    if (releasing_.empty()) TakeBatch(to_release_, releasing_, [](EventIndex e) { return e; });
    if (!releasing_.empty()) EmitWrite(Write::kRelease, Do::kRelease);
  }
}

// Each confirm costs the database a transaction, so those that follow each other closely go together: as long as reports
// are still to come, until there is a batch of them, or the first one has waited.
Time Engine::ConfirmDue() const {
  if (acked_.empty()) return kForever;
  const bool together =
      mode_ == Mode::kActive && !resetting_ && in_flight_ > 0 && acked_.size() < settings_.batch_events;
  return together ? first_acked_ + settings_.confirm_gather : 0;
}

void Engine::EmitWrite(Write what, Do command) {
  WriterOf(what).busy = true;
  Emit(command, EventsOf(what));
}

void Engine::FlushSettled() {
  for (const BatchIndex b : empty_batches_) FreeBatch(b);
  empty_batches_.clear();
  if (settled_.empty()) return;
  Emit(Do::kForget, settled_);
  for (const EventIndex e : settled_) {
    events_[e].state = State::kFree;
    free_.push_back(e);
    if (--batches_[events_[e].batch].left == 0) FreeBatch(events_[e].batch);
  }
  settled_.clear();
}

void Engine::FreeBatch(BatchIndex b) {
  bytes_ -= batches_[b].arena_bytes;
  free_batches_.push_back(b);
  commands_.push_back({.what = Do::kFreeBatch, .batch = b});
}

bool Engine::CanReserve() const {
  if (careful_ && (InHand() > 0 || mark_ == Mark::kWriting || mark_ == Mark::kClearing)) return false;
  return mode_ == Mode::kActive && !resetting_ && !reserving_ && to_release_.empty() && releasing_.empty() &&
         free_.size() >= settings_.batch_events &&
         (InHand() == 0 || bytes_ + settings_.batch_bytes() <= settings_.window_bytes);
}

void Engine::PumpReserve() {
  if (!CanReserve() || now_ < next_read_) return;
  const bool sweep = careful_ || must_sweep_ || now_ >= next_sweep_;
  if (sweep) {
    must_sweep_ = false;
    next_sweep_ = now_ + settings_.sweep_interval;
    std::erase_if(holds_, [](const auto& hold) { return hold.second.why == Hold::Why::kSweep; });
    ++counters_.sweeps;
  }
  reserving_ = true;
  last_read_ = now_;
  commands_.push_back(
      {.what = Do::kReserve, .sweep = sweep, .rows = careful_ ? careful_step_ : settings_.batch_events});
}

void Engine::PumpRetirement() {
  if (mode_ != Mode::kRetiring && mode_ != Mode::kLost) return;
  if (InHand() > 0 || resetting_ || reserving_ || WriterOf(Write::kMark).busy) return;
  mode_ = Mode::kStandby;
  mark_ = Mark::kNone;
  holds_.clear();
  group_limit_ = next_group_limit_ = 0;
  commands_.push_back({.what = Do::kRetired});
}

Time Engine::NextDeadline() const {
  Time next = kForever;
  const auto by = [&next](Time t) { next = std::min(next, t); };
  if (mode_ == Mode::kActive || mode_ == Mode::kRetiring) by(lease_until_ - settings_.lease_margin);
  if (CanReserve()) by(next_read_);
  if (!resetting_) {
    if (in_flight_ > 0) {
      by(flights_.front().at + settings_.delivery_timeout);
      by(flights_.front().until - settings_.lease_margin);
      if (mode_ == Mode::kRetiring) by(retire_by_);
    }
    if (!queue_.empty()) by(batches_[events_[queue_.front()].batch].until - settings_.lease_margin);
  }
  const Writer& confirms = writers_[static_cast<std::size_t>(Write::kConfirm)];
  if (confirming_.empty() && !confirms.busy) by(std::max(ConfirmDue(), confirms.not_before));
  const bool pending[] = {!confirming_.empty(), !failing_.empty() || !to_fail_.empty(),
                          !releasing_.empty() || !to_release_.empty(), MarkDue()};
  for (std::size_t w = 0; w < 4; ++w) {
    if (pending[w] && !writers_[w].busy) by(writers_[w].not_before);
  }
  return next < kForever / 2 ? next : kForever;  // no lease, no margin before its end
}

}  // namespace outbox::engine
