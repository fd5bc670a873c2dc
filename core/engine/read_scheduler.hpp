// Decides when and how the outbox is read: on from the position, from the oldest row (a rewind), or in a step of a
// rescan. A rescan is a second pass from the oldest row up to the position, beside normal reading. Rescans take at most
// a tenth of the time.
// Owned by Engine. Thread: engine
//
// INVARIANT: at most one read is under way at a time.
// INVARIANT: after a reset, a lost lease or a failed read, the next read rewinds. The result of a read that began
// before the reset or the loss is stale and is dropped, because its rows may come after the events that were dropped.
// INVARIANT: a read requests at least one row and at most a batch. After reads that timed out it requests fewer rows,
// so that rows arrive even if the connection to the database is too slow for a batch.
// INVARIANT: a wake-up makes a poll happen earlier, but never a read that waits because the last one failed.
//
// Rows that were dropped because their topics are not known yet are below the position. Each time that more is known
// about topics, these rows are read again once: by a rewind, which reads few other rows in addition, or by a rescan if
// rewinds would take more than a tenth of the time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "engine/backoff.hpp"
#include "engine/command.hpp"
#include "engine/key_holds.hpp"

namespace outbox::engine {

class ReadScheduler {
 public:
  ReadScheduler(const Settings& settings, KeyHolds& holds)
      : settings_(settings), holds_(holds), most_rows_(settings.batch_events) {}

  // The conditions that determine the next read, besides the clock.
  struct Need {
    std::uint32_t rows = 0;      // maximum number of rows to request
    bool slow_start = false;     // true if steps are read one after the other, each from the oldest row
    bool many_failures = false;  // true if many failures wait to be recorded, so that most retries would be dropped
  };
  // Returns the time at which the next read is due, if the window has room for it. REQUIRES: no read is under way.
  [[nodiscard]] Time NextRead(bool slow_start) const;
  [[nodiscard]] command::Reserve Begin(Time now, const Need& need);
  [[nodiscard]] bool reading() const { return !state_.Is(ReadState::kIdle); }
  [[nodiscard]] bool InRescanStep() const { return state_.Is(ReadState::kRescanStep); }
  // True if the result of the read under way has to be dropped.
  [[nodiscard]] bool Stale() const { return stale_; }
  [[nodiscard]] bool SkipsRetries() const { return skips_retries_; }

  // The result of a read.
  struct Answer {
    bool more = false, empty = false;  // `more`: rows are left for the next read; `empty`: no row was returned
    bool new_rows = false;             // true if rows were returned that never failed
    bool useful = false;               // true if some of the rows were not dropped
    bool crowded = false;              // true if retries were dropped because there was no room, or were not requested
    bool waits = false;  // true if some rows wait for their topics, and the next read would return them again
    std::uint32_t rescan = OUTBOX_RESCAN_DONE;
  };
  void Answered(Time now, const Answer& answer);
  void Failed(Time now, bool timed_out, Backoff& backoff);

  void LeaseBegins(Time now);
  // Marks the read under way, if any, as stale: its result will be dropped.
  void MakeStale() { stale_ = reading(); }
  // Makes the next read begin at the oldest row. The time at which it is due does not change.
  void Rewind() { must_rewind_ = true; }
  // Makes the next read begin at the oldest row and be due now.
  void RewindNow(Time now);
  // Makes the next read be due at `when`.
  void ResumeAt(Time when) {
    next_read_ = when;
    read_failed_ = false;
  }
  // Makes the next read be due at `when`, after an outage: a wake-up does not make it happen earlier.
  void PauseUntil(Time when) {
    next_read_ = when;
    next_is_poll_ = read_failed_ = false;
  }
  // Notes that rows may have been committed.
  void Wake(Time now);
  // Notes that a row was dropped because its topic is not known yet.
  void NoteWaiting(Time now) { waiting_since_ = std::min(waiting_since_, now); }
  // Notes that more is known about topics: rows that were dropped because of their topics are read again, and the pause
  // after a failed read ends, because an unknown topic may have caused the failure.
  void TopicsKnown(Time now);

  // True if the last read left rows in the outbox.
  [[nodiscard]] bool more() const { return more_; }
  // True if the last read left rows and returned some that never failed, so that more such rows are likely to wait.
  [[nodiscard]] bool NewRowsWait() const { return new_rows_wait_; }
  [[nodiscard]] bool rescanning() const { return rescanning_; }
  [[nodiscard]] bool RewindFollows() const { return must_rewind_; }
  // True if a rescan or a rewind will follow. While a key waits for a rescan, the function must return true; otherwise
  // the key waits forever.
  [[nodiscard]] bool RescanOrRewindFollows() const { return must_rewind_ || rescanning_ || holds_.RescanWanted(); }

  [[nodiscard]] const TransitionCounts<ReadState>& counts() const { return state_.counts(); }
  [[nodiscard]] std::string FindBrokenInvariant() const;

 private:
  friend struct PartProbe;  // lets the tests set private fields

  [[nodiscard]] bool Rewinds(bool slow_start) const { return must_rewind_ || (slow_start && !passed_over_); }
  [[nodiscard]] bool RescanWanted(Time now) const {
    return rescanning_ || holds_.RescanWanted() || now >= next_rescan_;
  }
  [[nodiscard]] bool LeavesRetriesOut(const Need& need);
  [[nodiscard]] std::uint32_t Rows(const Need& need) const { return std::min(need.rows, most_rows_); }
  void RescanStepEnds(Time now, std::uint32_t reached);
  void PacePolls(Time now, const Answer& answer);
  void FindWaiting(Time now);

  const Settings& settings_;
  KeyHolds& holds_;
  StateMachine<ReadState> state_;
  std::uint32_t most_rows_;
  bool must_rewind_ = true;
  bool stale_ = false;
  // true while a rescan is under way: during one of its steps, or in the pause between two steps
  bool rescanning_ = false;
  Time next_step_ = 0, step_began_ = 0, next_rescan_ = 0;

  bool more_ = false, new_rows_wait_ = false;
  bool skips_retries_ = false;  // true if the read under way requests no retries
  std::uint32_t skipped_ = 0;   // number of consecutive reads that have requested no retries
  // true if the last read returned no row but left some, because all rows that it examined have to wait
  bool passed_over_ = false;

  bool next_is_poll_ = false;  // true if next_read_ is the time of a poll, not the end of a pause after a failure
  bool woken_ = false;         // true if a wake-up came during the read under way
  bool read_failed_ = false;   // true if next_read_ is the end of a pause after a failed read
  // true if TopicsKnown was called during the read under way, whose rows may have been examined before the call
  bool topics_known_ = false;
  Time waiting_since_ = kForever;  // when the first row that waits for its topic was dropped
  Time next_topic_rewind_ = 0;
  Time next_read_ = 0, last_read_ = 0, poll_gap_ = 0;
  std::uint32_t failures_ = 0;  // number of consecutive failed reads
};

}  // namespace outbox::engine
