// Failed events, until their failure is recorded in the storage.
//
// INVARIANT: every failing event is in exactly one place: waiting, or being recorded.
// INVARIANT: failures are recorded in the order in which they occurred, and one call carries one token.
// INVARIANT: while the storage refuses to record a delivered event, nothing is sent (CannotRecord).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/event_table.hpp"
#include "engine/write_queue.hpp"

namespace outbox::engine {

class FailureRecords {
 public:
  explicit FailureRecords(const Settings& settings) : settings_(settings) {}

  void Add(const FailedEvent& failed) { queue_.waiting.push_back(failed); }
  [[nodiscard]] std::size_t size() const { return queue_.size(); }
  // Those that may be outstanding beside the window.
  [[nodiscard]] std::size_t BesideWindow() const {
    return std::min<std::size_t>(size(), settings_.max_awaiting_record);
  }
  [[nodiscard]] bool AtLeastABatch() const { return size() >= settings_.batch_events; }

  // True: recording() is to be recorded.
  [[nodiscard]] bool Take(Time now);
  [[nodiscard]] std::span<const FailedEvent> recording() const { return queue_.writing; }
  [[nodiscard]] WriteSlot& slot() { return queue_.slot; }
  [[nodiscard]] Time NextCall() const { return queue_.NextCall(); }

  // The storage has answered; `refused`: asking again would bring the same answer.
  void Answered(bool refused);
  // The events of recording() have been dealt with. `new_rows_wait`: rows that never failed wait to be read. Recording
  // leaves half of the time to those who insert, or most of it to the reading: others may wait behind many that fail.
  void Done(Time now, bool rest, bool new_rows_wait);

  // The storage refuses to record failures: the events stay outstanding, and their keys wait.
  [[nodiscard]] bool Unrecorded() const { return unrecorded_; }
  // The same for a delivered event whose row stays: it would be sent again with each restart.
  [[nodiscard]] bool CannotRecord() const { return cannot_record_; }

  // The lease is lost: each event that waits is handed to f. What is being recorded is answered later.
  template <class F>
  void GiveUpAll(F f) {
    for (const FailedEvent& failed : queue_.waiting) f(failed.event);
    queue_.waiting.clear();
    unrecorded_ = cannot_record_ = false;
  }
  // The relay stops, and waits for no more than a batch of failures: the rest fails again where it is read next. What is
  // delivered is kept, because it would be sent again there.
  template <class F>
  void GiveUpBeyondABatch(F f) {
    const auto kept = std::min<std::ptrdiff_t>(std::ssize(queue_.waiting), settings_.batch_events);
    const auto given_up =
        std::remove_if(queue_.waiting.begin() + kept, queue_.waiting.end(), [&f](const FailedEvent& failed) {
          if (failed.disposition == OUTBOX_DELIVERED) return false;
          f(failed.event);
          return true;
        });
    queue_.waiting.erase(given_up, queue_.waiting.end());
  }

  [[nodiscard]] std::string FindBrokenInvariant(const EventTable& events) const;

 private:
  friend struct PartProbe;  // of the tests

  const Settings& settings_;
  WriteQueue<FailedEvent> queue_;
  Time began_ = 0;  // the call under way
  bool unrecorded_ = false, cannot_record_ = false;
};

}  // namespace outbox::engine
