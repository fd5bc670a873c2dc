// When the outbox is read, and how: on from the position, from the oldest row (a rewind), or in steps of a rescan, which is
// a pass from the oldest row up to the position beside the reading that takes at most a tenth of the time.
//
// INVARIANT: one read is under way at a time.
// INVARIANT: after a reset, a lost lease or a failed read the next read rewinds, and what a read that began before brings is
// dropped (stale): it may be newer than what was dropped.
// INVARIANT: a read asks for at least one row and at most a batch; for fewer after reads that timed out, so that rows arrive
// also where the connection to the database is too slow for a batch.
// INVARIANT: a wake-up brings a poll forward, and never a read that waits because the last one failed.
//
// Rows that were dropped because nothing is known of their topics yet stand below the position. Each time that more is known
// they are read again, once: by a rewind, as most of what it brings again are those rows, or by a rescan where rewinds would
// take more than a tenth of the time.
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

  // What a read depends on beside the clock.
  struct Need {
    std::uint32_t rows = 0;      // to be asked for, at most
    bool slow_start = false;     // one step is read after the other, each from the oldest row
    bool many_failures = false;  // that wait to be recorded: most retries would be dropped
  };
  // REQUIRES: no read is under way. When the next one is due, if there is room for it.
  [[nodiscard]] Time NextRead(bool slow_start) const;
  [[nodiscard]] command::Reserve Begin(Time now, const Need& need);
  [[nodiscard]] bool reading() const { return !state_.Is(ReadState::kIdle); }
  [[nodiscard]] bool InRescanStep() const { return state_.Is(ReadState::kRescanStep); }
  // What the read under way brings has to be dropped.
  [[nodiscard]] bool Stale() const { return stale_; }
  [[nodiscard]] bool SkipsRetries() const { return skips_retries_; }

  struct Answer {
    bool more = false, empty = false;
    bool new_rows = false;  // it brought rows that never failed
    bool useful = false;    // some of what it brought was not dropped
    bool crowded = false;   // retries were dropped for want of room, or left out
    bool waits = false;     // some await their topic, and the next read would bring them again
    std::uint32_t rescan = OUTBOX_RESCAN_DONE;
  };
  void Answered(Time now, const Answer& answer);
  void Failed(Time now, bool timed_out, Backoff& backoff);

  void LeaseBegins(Time now);
  // What the read under way brings is dropped.
  void MakeStale() { stale_ = reading(); }
  // The next read begins at the oldest row, at its time, at once, or at `when`.
  void Rewind() { must_rewind_ = true; }
  void RewindNow(Time now);
  void ResumeAt(Time when) {
    next_read_ = when;
    read_failed_ = false;
  }
  // The same, after an outage: a wake-up does not bring it forward.
  void PauseUntil(Time when) {
    next_read_ = when;
    next_is_poll_ = read_failed_ = false;
  }
  // Rows may have been committed.
  void Wake(Time now);
  // A row was dropped because its topic is not known yet.
  void NoteWaiting(Time now) { waiting_since_ = std::min(waiting_since_, now); }
  // More is known of topics than when a row was dropped, or a read failed because of them.
  void TopicsKnown(Time now);

  // The last read left rows, and such that never failed.
  [[nodiscard]] bool more() const { return more_; }
  [[nodiscard]] bool NewRowsWait() const { return new_rows_wait_; }
  [[nodiscard]] bool rescanning() const { return rescanning_; }
  [[nodiscard]] bool RewindFollows() const { return must_rewind_; }
  // A rescan or a rewind will follow, so that keys which wait for it do not wait for ever.
  [[nodiscard]] bool RescanOrRewindFollows() const { return must_rewind_ || rescanning_ || holds_.RescanWanted(); }

  [[nodiscard]] const TransitionCounts<ReadState>& counts() const { return state_.counts(); }
  [[nodiscard]] std::string FindBrokenInvariant() const;

 private:
  friend struct PartProbe;  // of the tests

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
  bool rescanning_ = false;  // a rescan is under way, a step of it or the rest between two
  Time next_step_ = 0, step_began_ = 0, next_rescan_ = 0;

  bool more_ = false, new_rows_wait_ = false;
  bool skips_retries_ = false;  // the read under way
  std::uint32_t skipped_ = 0;   // reads in a row that have left them out
  bool passed_over_ = false;    // the last read brought nothing: it had enough to do with rows that wait

  bool next_is_poll_ = false;      // next_read_ is that of an idle relay, not of a failure
  bool woken_ = false;             // during the read under way
  bool read_failed_ = false;       // next_read_ is that of a read that failed
  bool topics_known_ = false;      // during the read under way, whose rows may have been judged before
  Time waiting_since_ = kForever;  // the first row that awaits its topic was dropped
  Time next_topic_rewind_ = 0;
  Time next_read_ = 0, last_read_ = 0, poll_gap_ = 0;
  std::uint32_t failures_ = 0;  // in a row
};

}  // namespace outbox::engine
