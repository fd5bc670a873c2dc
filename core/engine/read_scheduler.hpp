// Decides when and how the outbox is read: on from the position, from the oldest row (a rewind), or in a step of a
// rescan. A rescan is a second pass from the oldest row up to the position, beside normal reading. It takes at most a
// tenth of the time.
// Owned by Engine. Thread: engine
//
// INVARIANT: one read is under way at a time.
// INVARIANT: after a reset, a lost lease or a failed read, the next read rewinds. The result of a read that began
// before that is stale and is dropped, because it may be newer than the events that were dropped.
// INVARIANT: a read requests at least one row and at most a batch. After reads that timed out it requests fewer rows,
// so that rows arrive even if the connection to the database is too slow for a batch.
// INVARIANT: a wake-up makes a poll happen earlier, but never a read that waits because the last one failed.
//
// Rows that were dropped because their topics are not known yet are below the position. Each time that more is known
// about topics, these rows are read again once: by a rewind, because most of the rows that it reads again are these, or
// by a rescan if rewinds would take more than a tenth of the time.
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

  // What a read depends on besides the clock.
  struct Need {
    std::uint32_t rows = 0;      // maximum number of rows to request
    bool slow_start = false;     // steps are read one after the other, each from the oldest row
    bool many_failures = false;  // many failures wait to be recorded, so most retries would be dropped
  };
  // The time at which the next read is due, provided that there is room for it. REQUIRES: no read is under way.
  [[nodiscard]] Time NextRead(bool slow_start) const;
  [[nodiscard]] command::Reserve Begin(Time now, const Need& need);
  [[nodiscard]] bool reading() const { return !state_.Is(ReadState::kIdle); }
  [[nodiscard]] bool InRescanStep() const { return state_.Is(ReadState::kRescanStep); }
  // True if the result of the read under way has to be dropped.
  [[nodiscard]] bool Stale() const { return stale_; }
  [[nodiscard]] bool SkipsRetries() const { return skips_retries_; }

  // What a read has returned.
  struct Answer {
    bool more = false, empty = false;  // rows are left for the next read; no row was returned
    bool new_rows = false;             // it returned rows that never failed
    bool useful = false;               // some of the rows were not dropped
    bool crowded = false;              // retries were dropped because there was no room, or were not requested
    bool waits = false;                // some rows wait for their topics, and the next read would return them again
    std::uint32_t rescan = OUTBOX_RESCAN_DONE;
  };
  void Answered(Time now, const Answer& answer);
  void Failed(Time now, bool timed_out, Backoff& backoff);

  void LeaseBegins(Time now);
  // The result of the read under way, if any, will be dropped.
  void MakeStale() { stale_ = reading(); }
  // The next read begins at the oldest row; the time at which it is due does not change.
  void Rewind() { must_rewind_ = true; }
  // The next read begins at the oldest row and is due now.
  void RewindNow(Time now);
  // The next read is due at `when`.
  void ResumeAt(Time when) {
    next_read_ = when;
    read_failed_ = false;
  }
  // The next read is due at `when`, after an outage: a wake-up does not make it happen earlier.
  void PauseUntil(Time when) {
    next_read_ = when;
    next_is_poll_ = read_failed_ = false;
  }
  // Rows may have been committed.
  void Wake(Time now);
  // A row was dropped because its topic is not known yet.
  void NoteWaiting(Time now) { waiting_since_ = std::min(waiting_since_, now); }
  // More is known about topics than when a row was dropped, or a read failed, because of them.
  void TopicsKnown(Time now);

  // True if the last read left rows in the outbox.
  [[nodiscard]] bool more() const { return more_; }
  // True if the last read left rows and returned some that never failed, so that more such rows are likely to wait.
  [[nodiscard]] bool NewRowsWait() const { return new_rows_wait_; }
  [[nodiscard]] bool rescanning() const { return rescanning_; }
  [[nodiscard]] bool RewindFollows() const { return must_rewind_; }
  // True if a rescan or a rewind will follow, so that the keys which wait for one do not wait forever.
  [[nodiscard]] bool RescanOrRewindFollows() const { return must_rewind_ || rescanning_ || holds_.RescanWanted(); }

  [[nodiscard]] const TransitionCounts<ReadState>& counts() const { return state_.counts(); }
  [[nodiscard]] std::string FindBrokenInvariant() const;

 private:
  friend struct PartProbe;  // for the tests

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
  bool rescanning_ = false;  // a rescan is under way: one of its steps, or the pause between two steps
  Time next_step_ = 0, step_began_ = 0, next_rescan_ = 0;

  bool more_ = false, new_rows_wait_ = false;
  bool skips_retries_ = false;  // the read under way requests no retries
  std::uint32_t skipped_ = 0;   // number of consecutive reads that have requested no retries
  bool passed_over_ = false;    // the last read returned no row but left some: it only passed over rows that wait

  bool next_is_poll_ = false;      // next_read_ is the time of a poll, not the end of a pause after a failure
  bool woken_ = false;             // a wake-up came during the read under way
  bool read_failed_ = false;       // next_read_ is the end of a pause after a failed read
  bool topics_known_ = false;      // TopicsKnown came during the read under way, whose rows may have been judged before
  Time waiting_since_ = kForever;  // when the first row that waits for its topic was dropped
  Time next_topic_rewind_ = 0;
  Time next_read_ = 0, last_read_ = 0, poll_gap_ = 0;
  std::uint32_t failures_ = 0;  // number of consecutive failed reads
};

}  // namespace outbox::engine
