// Trials: events that the broker may refuse are sent one to a request, beside the main stream, so that a refusal names its
// event and stops nothing else. Only a trial that is refused counts as a failure of its event
// (docs/design/decisions/0016).
//
// INVARIANT: when a trial is sent, every event of its key that was read before it is in the topic or recorded as failed.
// INVARIANT: while an event of a key waits for its trial or is tried, no later event of the key is sent in the main stream.
// INVARIANT: at most one event of a key is tried at a time, and of all keys at most max_trials + max_retrials.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/send_window.hpp"

namespace outbox::engine {

class Trials {
 public:
  Trials(const Settings& settings, EventTable& events, const SendWindow& window)
      : settings_(settings), events_(events), window_(window) {}

  // The event may not be sent in the main stream.
  [[nodiscard]] bool GoesAlone(const Event& event, Time now) const {
    if (event.attempts > 0 || event.doubtful) return true;
    return !(keys_.empty() && suspicions_.empty()) && IsKeptApart(event, now);
  }
  // The main stream was refused something in this lane under this epoch. The first refusal of an epoch counts: the others
  // are its neighbours in the request. For some time the lane's events are tried alone.
  void Suspect(publisher::Lane lane, std::uint32_t epoch, Time now);
  // An event of the lane was refused as a trial, so the others are suspected for longer.
  void ProlongSuspicion(publisher::Lane lane, Time now);
  void ForgetSuspicions() { suspicions_.clear(); }

  // Waits for its trial until all flights before `flight` are over.
  void Enqueue(EventIndex e, std::uint32_t flight);
  // Appends to `sent` the events whose trial begins now; returns how many.
  std::uint32_t Begin(Time now, std::vector<EventIndex>& sent);
  // The first answer to a tried event. REQUIRES: it is tried, and the answer is a success or a refusal.
  void Answered(EventIndex e);
  [[nodiscard]] Time SentAt(EventIndex e) const;

  [[nodiscard]] bool Idle() const { return waiting_new_.empty() && waiting_failed_.empty() && tried_.empty(); }
  [[nodiscard]] std::size_t InFlight() const { return tried_.size(); }
  // Events that have failed before may take only part of the window.
  [[nodiscard]] bool RoomForRetries() const { return waiting_failed_.size() < settings_.max_retried(); }
  [[nodiscard]] Time OldestSentAt() const;

  // Drops with f what waits of the key, or all that waits.
  template <class F>
  void DropWaitingOfKey(std::uint64_t key, F f) {
    if (!keys_.contains(key)) return;
    DropWaiting([key](const Event& event) { return event.ordered && event.key_hash == key; }, f);
  }
  template <class F>
  void DropAllWaiting(F f) {
    DropWaiting([](const Event&) { return true; }, f);
  }

  // ---- resets of the stream of trials ----
  [[nodiscard]] std::uint32_t epoch() const { return epoch_; }
  [[nodiscard]] bool resetting() const { return resetting_; }
  [[nodiscard]] std::uint32_t BeginReset() {
    resetting_ = true;
    return epoch_ + 1;
  }
  // True: the reset to that epoch is over. `dropped`: the events whose answer is not known, in the order of sending.
  [[nodiscard]] bool EndReset(std::uint32_t epoch, Time now, Backoff& backoff, std::vector<EventIndex>& dropped);
  [[nodiscard]] std::vector<EventIndex> Tried() const;
  // An answer is overdue, or the reservation of a tried event ends.
  [[nodiscard]] bool ResetDue(Time now) const;
  // When the first reservation of a waiting event ends, less the margin.
  [[nodiscard]] Time WaitingUntil() const;
  [[nodiscard]] Time NextDeadline(Time now) const;

  [[nodiscard]] std::string FindBrokenInvariant() const;

 private:
  friend struct PartProbe;  // of the tests

  // Its key has a trial, or its lane is suspected.
  [[nodiscard]] bool IsKeptApart(const Event& event, Time now) const;
  // In this lane the main stream was refused something: until then its events are tried. A new one is all 0.
  struct Suspicion {
    Time until, period;
    std::uint32_t epoch;  // that the last refusal has ended
  };
  struct Trial {
    EventIndex event;
    Time at;
    Time until;  // of its reservation
  };
  // The events of a key that wait for their trial or are tried.
  struct Key {
    std::uint32_t events = 0;
    bool tried = false;
  };
  template <class Chosen, class F>
  void DropWaiting(Chosen chosen, F f) {
    for (std::deque<EventIndex>* waiting : {&waiting_new_, &waiting_failed_}) {
      std::erase_if(*waiting, [&](EventIndex e) {
        if (!chosen(events_[e])) return false;
        LeaveKey(e, false);
        f(e);
        return true;
      });
    }
  }
  std::uint32_t BeginSome(std::deque<EventIndex>& waiting, std::size_t free, Time now, std::vector<EventIndex>& sent);
  void LeaveKey(EventIndex e, bool was_tried);
  [[nodiscard]] Time DeadlineOf(const Trial& trial) const {
    return std::min(trial.at + settings_.delivery_timeout, trial.until - settings_.lease_margin);
  }

  const Settings& settings_;
  EventTable& events_;
  const SendWindow& window_;
  std::unordered_map<publisher::Lane, Suspicion> suspicions_;
  std::deque<EventIndex> waiting_new_, waiting_failed_;  // those that have never failed, and those that have
  std::unordered_map<std::uint64_t, Key> keys_;
  std::vector<Trial> tried_;
  std::uint32_t retrials_ = 0;  // of tried_, those of events that have failed before
  std::uint32_t epoch_ = publisher::kTrialEpochs | 1;
  std::uint32_t failures_ = 0;  // resets in a row
  bool resetting_ = false;
  Time not_before_ = 0;
};

}  // namespace outbox::engine
