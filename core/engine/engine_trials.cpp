#include <algorithm>

#include "engine/engine.hpp"

// Trials: events that the broker may refuse are sent one to a request, beside the stream of all others, so that a refusal
// names its event and stops nothing else.
//
// INVARIANT: when a trial is sent, every event of its key that was read before it is in the topic or recorded as failed.
// INVARIANT: while trial_keys_ has a key, no event of that key enters the main stream.

namespace outbox::engine {

using publisher::Outcome;

bool Engine::GoesAlone(const Event& event) const {
  if (event.attempts > 0 || event.doubtful) return true;
  if (!OUTBOX_MUTANT(kOvertakenTrial) && !trial_keys_.empty() && MayHold(event) && trial_keys_.contains(event.key_hash))
    return true;
  if (suspects_.empty()) return false;
  const auto suspicion = suspects_.find(event.lane);
  return suspicion != suspects_.end() && now_ < suspicion->second.until;
}

// The first refusal of an epoch counts; the others are its neighbours.
void Engine::Suspect(publisher::Lane lane) {
  Suspicion& s = suspects_[lane];
  if (s.epoch == epoch_) return;
  const bool again = s.period > 0 && now_ < s.until + s.period;
  s = {.period = again ? std::min(2 * s.period, settings_.max_suspicion) : settings_.min_suspicion, .epoch = epoch_};
  s.until = now_ + s.period;
}

void Engine::QueueTrial(EventIndex e, std::uint32_t after_flight) {
  Event& event = events_[e];
  event.flight = after_flight;
  if (MayHold(event)) ++trial_keys_[event.key_hash].events;
  (event.attempts > 0 ? retried_ : suspected_).push_back(e);
}

void Engine::LeaveTrial(EventIndex e, bool was_tried) {
  if (!MayHold(events_[e])) return;
  const auto key = trial_keys_.find(events_[e].key_hash);
  if (was_tried) key->second.tried = false;
  if (--key->second.events == 0) trial_keys_.erase(key);
}

void Engine::PumpTrials() {
  if (mode_ != Mode::kActive || resetting_ || resetting_trials_ || now_ < next_trial_ || mark_ == Mark::kWanted ||
      mark_ == Mark::kWriting)
    return;
  PumpTrialsOf(suspected_, settings_.max_trials - (trials_.size() - retrials_));
  PumpTrialsOf(retried_, settings_.max_retrials - retrials_);
}

void Engine::PumpTrialsOf(std::deque<EventIndex>& waiting, std::size_t free_slots) {
  // Of a key with many events only the first may be tried, and is looked for among so many.
  const std::size_t examined = std::min<std::size_t>(waiting.size(), std::size_t{8} * settings_.max_trials);
  const auto first = static_cast<std::uint32_t>(arguments_.size());
  std::size_t kept = 0, i = 0;
  for (; i < examined && free_slots > 0; ++i) {
    const EventIndex e = waiting[i];
    Event& event = events_[e];
    TrialKey* const key = MayHold(event) ? &trial_keys_[event.key_hash] : nullptr;
    const bool earlier_unanswered =
        static_cast<std::int32_t>(event.flight - first_flight_) > 0 && !OUTBOX_MUTANT(kEarlyTrial);
    if (earlier_unanswered || (key != nullptr && key->tried)) {
      waiting[kept++] = e;
      continue;
    }
    if (key != nullptr) key->tried = true;
    event.state = State::kTried;
    trials_.push_back({e, now_, batches_[event.batch].until});
    if (event.attempts > 0) ++retrials_;
    arguments_.push_back(e);
    --free_slots;
  }
  waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(kept), waiting.begin() + static_cast<std::ptrdiff_t>(i));
  const auto count = static_cast<std::uint32_t>(arguments_.size()) - first;
  if (count == 0) return;
  counters_.sent += count;
  commands_.push_back({Do::kPublish, false, trial_epoch_, 0, first, count});
}

// REQUIRES: Awaits(report).
void Engine::TrialReported(const publisher::Report& report) {
  const EventIndex e = report.event;
  Event& event = events_[e];
  const auto trial = std::find_if(trials_.begin(), trials_.end(), [e](const Trial& t) { return t.event == e; });
  if (report.outcome == Outcome::kUnknown) {
    owed_since_ = std::min(owed_since_, trial->at);
    return StartTrialReset();  // which settles it
  }
  if (event.attempts > 0) --retrials_;
  *trial = trials_.back();
  trials_.pop_back();
  LeaveTrial(e, true);
  trial_failures_ = 0;
  if (flights_.empty() && trials_.empty()) owed_since_ = kForever;
  if (report.outcome == Outcome::kAcknowledged) {
    event.state = State::kAcked;
    if (acked_.empty()) first_acked_ = now_;
    acked_.push_back(e);
    ++counters_.acknowledged;
    return;
  }
  if (mode_ == Mode::kLost) return Drop(e);
  const auto suspicion = suspects_.find(event.lane);
  if (event.attempts == 0 && suspicion != suspects_.end())
    suspicion->second.until = std::max(suspicion->second.until, now_ + suspicion->second.period);
  Fail(e, report.error);
  DropBehind(e);
}

// What follows in the head's key waits until the head is out of the way, and is then read again.
void Engine::DropBehind(EventIndex head) {
  if (!MayHold(events_[head])) return;
  const std::uint64_t key = events_[head].key_hash;
  const auto hold = holds_.find(key);
  for (std::deque<EventIndex>* waiting : {&suspected_, &retried_, &queue_}) {
    const bool trial = waiting != &queue_;
    if (trial && !trial_keys_.contains(key)) continue;
    std::erase_if(*waiting, [&](EventIndex e) {
      if (!MayHold(events_[e]) || events_[e].key_hash != key) return false;
      if (hold != holds_.end()) hold->second.passed = true;
      if (trial) LeaveTrial(e, false);
      Drop(e);
      return true;
    });
  }
}

void Engine::StartTrialReset() {
  if (resetting_trials_) return;
  resetting_trials_ = true;
  ++counters_.resets;
  BreakSlowStartStep(true);
  for (const Trial& trial : trials_) {
    // Where a later event of the key is just failing, the key is held already.
    const auto hold = holds_.find(events_[trial.event].key_hash);
    if (hold == holds_.end() || hold->second.why == Hold::Why::kRescan) HoldKey(trial.event, Hold::Why::kRetried);
    DropBehind(trial.event);
  }
  commands_.push_back({.what = Do::kReset, .epoch = trial_epoch_ + 1});
}

// What was acknowledged or refused meanwhile is among them no more.
void Engine::TrialResetDone(std::uint32_t epoch) {
  if (!resetting_trials_ || epoch != trial_epoch_ + 1) return;
  trial_epoch_ = epoch;
  resetting_trials_ = false;
  next_trial_ = now_ + backoff_.After(++trial_failures_, settings_.min_backoff, settings_.max_backoff);
  if (!trials_.empty()) {
    must_rewind_ = true;
    next_read_ = std::min(next_read_, now_);
  }
  for (const Trial& trial : trials_) {
    ++counters_.sent_again;
    LeaveTrial(trial.event, true);
    DropBehind(trial.event);
    Drop(trial.event);
    if (!MayHold(events_[trial.event])) continue;
    // What the read under way brings of the key may stand behind the event that is about to be read again.
    const auto hold = holds_.try_emplace(events_[trial.event].key_hash, Hold{Hold::Why::kRescan, kNobody}).first;
    hold->second.passed = true;
  }
  trials_.clear();
  retrials_ = 0;
}

Time Engine::OldestTrial() const {
  Time oldest = kForever;
  for (const Trial& trial : trials_) oldest = std::min(oldest, trial.at);
  return oldest;
}

}  // namespace outbox::engine
