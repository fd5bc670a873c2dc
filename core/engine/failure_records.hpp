// Holds failed events until their failures are recorded in the storage.
// Owned by Engine. Thread: engine
//
// INVARIANT: every failing event either waits or is being recorded.
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
  // Returns the number of failed events that do not count against the window.
  [[nodiscard]] std::size_t BesideWindow() const {
    return std::min<std::size_t>(size(), settings_.max_awaiting_record);
  }
  [[nodiscard]] bool AtLeastABatch() const { return size() >= settings_.batch_events; }

  // Returns true if recording() is to be recorded now.
  [[nodiscard]] bool Take(Time now);
  [[nodiscard]] std::span<const FailedEvent> recording() const { return queue_.writing; }
  [[nodiscard]] WriteSlot& slot() { return queue_.slot; }
  [[nodiscard]] Time NextCall() const { return queue_.NextCall(); }

  // Takes the storage's answer to a write of failures. `refused` is true if repeating the write cannot change the
  // answer.
  void Answered(bool refused);
  // Ends the call that records recording(): the call has succeeded or is given up. If `rest`, the next call waits for
  // as long as this call took, so that half of the time is left to the applications that insert. If, in addition,
  // `new_rows_wait` (rows that never failed wait to be read) and there is room for more failures, the next call waits
  // record_rest times as long, because good events may wait behind many that fail. The wait is at most max_record_rest.
  void Done(Time now, bool rest, bool new_rows_wait);

  // True while the storage refuses to record failures: the events stay outstanding, and their keys wait.
  [[nodiscard]] bool Unrecorded() const { return unrecorded_; }
  // True while the storage refuses to record a delivered event whose row stays in the outbox. Such an event is sent
  // again after each restart, so nothing more is sent meanwhile.
  [[nodiscard]] bool CannotRecord() const { return cannot_record_; }

  // Gives up all waiting failures, because the lease is lost, and calls f(event) for each. The call under way is
  // answered later.
  template <class F>
  void GiveUpAll(F f) {
    for (const FailedEvent& failed : queue_.waiting) f(failed.event);
    queue_.waiting.clear();
    unrecorded_ = cannot_record_ = false;
  }
  // Gives up the waiting failures beyond one batch, because the shard is drained, and calls f(event) for each: these
  // events fail again under the next owner. Delivered events are kept, because the next owner would send them again.
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
  friend struct PartProbe;  // lets the tests set private fields

  const Settings& settings_;
  WriteQueue<FailedEvent> queue_;
  Time began_ = 0;  // the time at which the call under way began
  bool unrecorded_ = false, cannot_record_ = false;
};

}  // namespace outbox::engine
