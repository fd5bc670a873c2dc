// The stream of trials. Events that the broker may refuse are sent beside the main stream, each in a request of its
// own, so that a refusal identifies its event and stops nothing else. A refusal is charged to an event only if the
// event was sent as a trial (docs/design/decisions/0016).
// Owned by Engine. Thread: engine
//
// INVARIANT: when a trial is sent, every event of its key that was read before it is in the topic or recorded as
// failed.
// INVARIANT: while an event of a key waits for its trial or is tried, no later event of the key is sent in the main
// stream.
// INVARIANT: at most one event of a key is tried at a time, and at most max_trials + max_retrials events of all keys.
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

  // True if the event must be sent as a trial and not in the main stream.
  [[nodiscard]] bool GoesAlone(const Event& event, Time now) const {
    if (event.attempts > 0 || event.doubtful) return true;
    return !(keys_.empty() && suspicions_.empty()) && IsKeptApart(event, now);
  }
  // Puts the lane under suspicion, so that its events are sent as trials for some time: the broker has refused a record
  // of the lane in the main stream in this epoch. Only the first refusal of an epoch counts, because further refusals
  // of the epoch belong to the same request.
  void Suspect(publisher::Lane lane, std::uint32_t epoch, Time now);
  // Prolongs the suspicion of the lane, because an event of the lane was refused as a trial.
  void ProlongSuspicion(publisher::Lane lane, Time now);
  void ForgetSuspicions() { suspicions_.clear(); }

  // Adds an event. Its trial is sent only after all events of the flights before `flight` are answered.
  void Enqueue(EventIndex e, std::uint32_t flight);
  // Appends to `sent` the events whose trials begin now; returns their number.
  std::uint32_t Begin(Time now, std::vector<EventIndex>& sent);
  // Takes the first answer to a trial. REQUIRES: the event is in kTried, and the answer is an acknowledgement or a
  // refusal.
  void Answered(EventIndex e);
  [[nodiscard]] Time SentAt(EventIndex e) const;

  [[nodiscard]] bool Idle() const { return waiting_new_.empty() && waiting_failed_.empty() && tried_.empty(); }
  [[nodiscard]] std::size_t InFlight() const { return tried_.size(); }
  // True if one more event that has failed before may wait for its trial. Events that have failed before may take only
  // part of the window.
  [[nodiscard]] bool RoomForRetries() const { return waiting_failed_.size() < settings_.max_retried(); }
  [[nodiscard]] Time OldestSentAt() const;

  // Remove the waiting events of the key, or all waiting events, and call f(index) for each.
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
  // If the reset under way leads to `epoch`, ends it and returns true; otherwise returns false. `dropped` receives the
  // events whose outcome is not known.
  [[nodiscard]] bool EndReset(std::uint32_t epoch, Time now, Backoff& backoff, std::vector<EventIndex>& dropped);
  [[nodiscard]] std::vector<EventIndex> Tried() const;
  // True if an answer is overdue, or if the reservation of a tried event is about to end.
  [[nodiscard]] bool ResetDue(Time now) const;
  // Returns the time at which the first reservation of a waiting event ends, less lease_margin; kForever if no event
  // waits.
  [[nodiscard]] Time WaitingUntil() const;
  [[nodiscard]] Time NextDeadline(Time now) const;

  [[nodiscard]] std::string FindBrokenInvariant() const;

 private:
  friend struct PartProbe;  // lets the tests set private fields

  // True if an event of the same key waits for its trial or is tried, or if the lane of the event is under suspicion.
  [[nodiscard]] bool IsKeptApart(const Event& event, Time now) const;
  // The suspicion of a lane in which the broker has refused a record of the main stream. The events of the lane are
  // sent as trials until `until`. A new entry is all zeros.
  struct Suspicion {
    Time until, period;
    std::uint32_t epoch;  // the epoch that the last refusal has ended
  };
  struct Trial {
    EventIndex event;
    Time at;     // the time at which the event was sent
    Time until;  // the end of the event's reservation
  };
  // The number of events of a key that wait for their trials or are tried.
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
  std::deque<EventIndex> waiting_new_, waiting_failed_;  // waiting events: never failed, and failed before
  std::unordered_map<std::uint64_t, Key> keys_;
  std::vector<Trial> tried_;
  std::uint32_t retrials_ = 0;  // number of trials in tried_ whose events have failed before
  std::uint32_t epoch_ = publisher::kTrialEpochs | 1;
  std::uint32_t failures_ = 0;  // number of consecutive resets
  bool resetting_ = false;
  Time not_before_ = 0;
};

}  // namespace outbox::engine
