#include "engine/trials.hpp"

#include <algorithm>
#include <utility>

namespace outbox::engine {

bool Trials::IsKeptApart(const Event& event, Time now) const {
  if (!keys_.empty() && event.ordered && keys_.contains(event.key_hash) && !OUTBOX_MUTANT(kOvertakenTrial)) return true;
  if (suspicions_.empty()) return false;
  const auto suspicion = suspicions_.find(event.lane);
  return suspicion != suspicions_.end() && now < suspicion->second.until;
}

void Trials::Suspect(publisher::Lane lane, std::uint32_t epoch, Time now) {
  Suspicion& s = suspicions_[lane];
  if (s.epoch == epoch) return;
  const bool again = now < s.until + s.period;
  s.period = again ? std::min(2 * s.period, settings_.max_suspicion) : settings_.min_suspicion;
  s.until = now + s.period;
  s.epoch = epoch;
}

void Trials::ProlongSuspicion(publisher::Lane lane, Time now) {
  if (const auto suspicion = suspicions_.find(lane); suspicion != suspicions_.end())
    suspicion->second.until = std::max(suspicion->second.until, now + suspicion->second.period);
}

void Trials::Enqueue(EventIndex e, std::uint32_t flight) {
  Event& event = events_[e];
  event.flight = flight;
  if (event.ordered) ++keys_[event.key_hash].events;
  (event.attempts > 0 ? waiting_failed_ : waiting_new_).push_back(e);
}

void Trials::LeaveKey(EventIndex e, bool was_tried) {
  if (!events_[e].ordered) return;
  const auto key = keys_.find(events_[e].key_hash);
  if (was_tried) key->second.tried = false;
  if (--key->second.events == 0) keys_.erase(key);
}

std::uint32_t Trials::Begin(Time now, std::vector<EventIndex>& sent) {
  if (resetting_ || now < not_before_) return 0;
  const std::uint32_t begun = BeginSome(waiting_new_, settings_.max_trials - (tried_.size() - retrials_), now, sent);
  return begun + BeginSome(waiting_failed_, settings_.max_retrials - retrials_, now, sent);
}

std::uint32_t Trials::BeginSome(std::deque<EventIndex>& waiting, std::size_t free, Time now,
                                std::vector<EventIndex>& sent) {
  // Only the first event of a key may be tried. Many waiting events may have the same key, so the search for events
  // that may be tried examines at most this many events.
  const std::size_t examined = std::min<std::size_t>(waiting.size(), std::size_t{8} * settings_.max_trials);
  std::size_t kept = 0, i = 0;
  std::uint32_t begun = 0;
  for (; i < examined && begun < free; ++i) {
    const EventIndex e = waiting[i];
    Event& event = events_[e];
    Key* const key = event.ordered ? &keys_[event.key_hash] : nullptr;
    const bool earlier_unanswered = !window_.AllOverBefore(event.flight) && !OUTBOX_MUTANT(kEarlyTrial);
    if (earlier_unanswered || (key != nullptr && key->tried)) {
      waiting[kept++] = e;
      continue;
    }
    if (key != nullptr) key->tried = true;
    events_.Move(event, EventState::kTried);
    tried_.push_back({e, now, events_.Until(e)});
    if (event.attempts > 0) ++retrials_;
    sent.push_back(e);
    ++begun;
  }
  waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(kept), waiting.begin() + static_cast<std::ptrdiff_t>(i));
  return begun;
}

void Trials::Answered(EventIndex e) {
  const auto trial = std::find_if(tried_.begin(), tried_.end(), [e](const Trial& t) { return t.event == e; });
  if (events_[e].attempts > 0) --retrials_;
  *trial = tried_.back();
  tried_.pop_back();
  LeaveKey(e, true);
  failures_ = 0;
}

Time Trials::SentAt(EventIndex e) const {
  return std::find_if(tried_.begin(), tried_.end(), [e](const Trial& t) { return t.event == e; })->at;
}

Time Trials::OldestSentAt() const {
  Time oldest = kForever;
  for (const Trial& trial : tried_) oldest = std::min(oldest, trial.at);
  return oldest;
}

bool Trials::EndReset(std::uint32_t epoch, Time now, Backoff& backoff, std::vector<EventIndex>& dropped) {
  if (!resetting_ || epoch != epoch_ + 1) return false;
  epoch_ = epoch;
  resetting_ = false;
  not_before_ = now + backoff.After(++failures_, settings_.min_backoff, settings_.max_backoff);
  dropped = Tried();
  for (const EventIndex e : dropped) LeaveKey(e, true);
  tried_.clear();
  retrials_ = 0;
  return true;
}

std::vector<EventIndex> Trials::Tried() const {
  std::vector<EventIndex> tried;
  for (const Trial& trial : tried_) tried.push_back(trial.event);
  return tried;
}

bool Trials::ResetDue(Time now) const {
  return std::any_of(tried_.begin(), tried_.end(), [&](const Trial& trial) { return now >= DeadlineOf(trial); });
}

Time Trials::WaitingUntil() const {
  Time until = kForever;
  for (const std::deque<EventIndex>* waiting : {&waiting_new_, &waiting_failed_})
    if (!waiting->empty()) until = std::min(until, events_.Until(waiting->front()) - settings_.lease_margin);
  return until;
}

Time Trials::NextDeadline(Time now) const {
  if (resetting_) return kForever;
  Time next = kForever;
  for (const Trial& trial : tried_) next = std::min(next, DeadlineOf(trial));
  if (now < not_before_ && !(waiting_new_.empty() && waiting_failed_.empty())) next = std::min(next, not_before_);
  return next;
}

std::string Trials::FindBrokenInvariant() const {
  std::unordered_map<std::uint64_t, Key> keys;
  std::size_t tried = 0, retrials = 0;
  const auto count = [&](EventIndex e, bool is_tried) {
    if (!events_[e].ordered) return true;
    Key& key = keys[events_[e].key_hash];
    ++key.events;
    if (!is_tried) return true;
    return !std::exchange(key.tried, true);
  };
  for (const std::deque<EventIndex>* waiting : {&waiting_new_, &waiting_failed_}) {
    for (const EventIndex e : *waiting) {
      if (events_[e].state() != EventState::kQueued) return "trials: a waiting event is not queued";
      (void)count(e, false);
    }
  }
  for (const Trial& trial : tried_) {
    if (events_[trial.event].state() != EventState::kTried)
      return "trials: an event in the list of tried events is not tried";
    if (!count(trial.event, true)) return "trials: two events of a key are tried at the same time";
    retrials += events_[trial.event].attempts > 0 ? 1 : 0;
  }
  for (EventIndex e = 0; e < events_.slots(); ++e) {
    const Event& event = events_[e];
    if (event.state() == EventState::kTried) ++tried;
    if (event.state() != EventState::kSent || !event.ordered) continue;
    const auto key = keys.find(event.key_hash);
    if (key != keys.end() && key->second.tried)
      return "trials: events of a key are tried and in the main stream at once";
  }
  if (tried != tried_.size() || retrials != retrials_) return "trials: events without an answer are miscounted";
  if (retrials_ > settings_.max_retrials || tried - retrials_ > settings_.max_trials)
    return "trials: too many are in flight";
  if (keys.size() != keys_.size()) return "trials: keys are miscounted";
  for (const auto& [hash, key] : keys) {
    const auto known = keys_.find(hash);
    if (known == keys_.end() || known->second.events != key.events || known->second.tried != key.tried)
      return "trials: the events of a key are miscounted";
  }
  return {};
}

}  // namespace outbox::engine
