#include "engine/read_scheduler.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace outbox::engine {
namespace {

// Maximum number of consecutive reads of a backlog that request no retries.
constexpr std::uint32_t kMaxSkipped = 9;
// A read after one that left rows requests 1/kMoreRows more rows. A read after a timeout requests half as many. So if a
// full batch takes too long, about one read in seven times out.
constexpr std::uint32_t kMoreRows = 8;
// The assumed minimum duration of a rewind for rows that wait for topics: such a rewind passes over all rows that are
// outstanding or have failed.
constexpr Time kMinTopicWait = 100 * kMillisecond;

}  // namespace

// Returns the time of the next read from the position, or of the next step of a rescan if that is earlier. A rescan
// does not wait for new rows.
Time ReadScheduler::NextRead(bool slow_start) const {
  if (slow_start || must_rewind_) return next_read_;
  const Time wanted = rescanning_ || holds_.RescanWanted() ? 0 : next_rescan_;
  return std::min(next_read_, std::max(wanted, next_step_));
}

command::Reserve ReadScheduler::Begin(Time now, const Need& need) {
  assert(!reading());
  if (Rewinds(need.slow_start)) {
    state_.To(ReadState::kReading);
    must_rewind_ = rescanning_ = false;
    holds_.Rewound();
    waiting_since_ = kForever;
    next_rescan_ = now + settings_.rescan_interval;
    last_read_ = now;
    return {.mode = OUTBOX_REWIND, .rows = Rows(need)};
  }
  if (!need.slow_start && RescanWanted(now) && now >= next_step_) {
    state_.To(ReadState::kRescanStep);
    if (!std::exchange(rescanning_, true)) {
      holds_.RescanBegins();
      next_rescan_ = now + settings_.rescan_interval;
    }
    step_began_ = now;
    return {.mode = OUTBOX_RESCAN, .rows = Rows(need)};
  }
  state_.To(ReadState::kReading);
  last_read_ = now;
  skips_retries_ = LeavesRetriesOut(need);
  return {.mode = OUTBOX_READ_ON, .rows = Rows(need), .skip_retries = skips_retries_};
}

// True if the next read requests no retries. Reads of a backlog request none while so many failures wait to be recorded
// that most retries would be dropped: searching for retries would delay the rows behind them. At least one read in ten
// still requests retries, because some of them may not be dropped.
bool ReadScheduler::LeavesRetriesOut(const Need& need) {
  const bool skips = more_ && !need.slow_start && need.many_failures && skipped_ < kMaxSkipped;
  skipped_ = skips ? skipped_ + 1 : 0;
  return skips;
}

void ReadScheduler::Answered(Time now, const Answer& answer) {
  const bool stale = std::exchange(stale_, false);
  const bool was_step = InRescanStep();
  state_.To(ReadState::kIdle);
  failures_ = 0;
  skips_retries_ = false;
  if (answer.more || answer.rescan == OUTBOX_RESCAN_GOES_ON)
    most_rows_ = std::min(most_rows_ + std::max(1U, most_rows_ / kMoreRows), settings_.batch_events);
  if (was_step) {
    // After a reset the next read rewinds, and that ends the rescan.
    if (!stale) RescanStepEnds(now, answer.rescan);
  } else if (!stale) {  // when a read becomes stale, the time of the next read is set at once
    more_ = answer.more;
    new_rows_wait_ = answer.more && answer.new_rows;
    passed_over_ = answer.empty && answer.more;
    PacePolls(now, answer);
    next_is_poll_ = true;
  }
  if (std::exchange(woken_, false)) Wake(now);
  if (std::exchange(topics_known_, false)) FindWaiting(now);
}

void ReadScheduler::RescanStepEnds(Time now, std::uint32_t reached) {
  next_step_ = now + std::min(settings_.rescan_rest * (now - step_began_), settings_.max_rescan_rest);
  if (OUTBOX_MUTANT(kKeyGoesOnEarly)) reached = OUTBOX_RESCAN_DONE;
  if (reached == OUTBOX_RESCAN_GOES_ON) return;
  rescanning_ = false;
  holds_.RescanEnds(reached);
}

void ReadScheduler::Failed(Time now, bool timed_out, Backoff& backoff) {
  assert(reading());
  state_.To(ReadState::kIdle);
  more_ = skips_retries_ = stale_ = false;
  if (timed_out) most_rows_ = std::max(1U, most_rows_ / 2);
  must_rewind_ = true;  // the storage may have moved the position past rows that never arrived
  PauseUntil(now + backoff.After(++failures_, settings_.min_backoff, settings_.max_backoff));
  read_failed_ = true;
  woken_ = false;
  if (std::exchange(topics_known_, false)) FindWaiting(now);
}

void ReadScheduler::LeaseBegins(Time now) {
  must_rewind_ = true;
  next_read_ = now;
  read_failed_ = false;
}

void ReadScheduler::RewindNow(Time now) {
  must_rewind_ = true;
  next_read_ = std::min(next_read_, now);
}

// Sets the time of the next read: at once while rows are left; min_poll later if some of the rows were not dropped and
// no row is left; in all other cases after a gap that doubles with each read.
void ReadScheduler::PacePolls(Time now, const Answer& answer) {
  if (answer.useful) {
    poll_gap_ = settings_.min_poll;
    next_read_ = answer.more ? now : now + poll_gap_;
  } else {
    poll_gap_ = std::clamp(2 * poll_gap_, settings_.min_poll, settings_.poll_interval);
    // If there are only retries for which there is no room, reading again at once would return the same rows.
    if (answer.crowded) poll_gap_ = std::min(poll_gap_, 16 * settings_.min_poll);
    next_read_ = answer.more && !answer.crowded && !answer.waits ? now : now + poll_gap_;
  }
}

void ReadScheduler::Wake(Time now) {
  if (reading()) {
    woken_ = true;
  } else if (next_is_poll_) {
    poll_gap_ = settings_.min_poll;
    next_read_ = std::min(next_read_, std::max(now, last_read_ + settings_.min_poll));
  }
}

void ReadScheduler::TopicsKnown(Time now) {
  topics_known_ = reading();
  FindWaiting(now);
}

void ReadScheduler::FindWaiting(Time now) {
  Wake(now);  // failed events that wait for their topics are due again, so any read returns them
  if (!reading() && std::exchange(read_failed_, false)) next_read_ = now;
  if (waiting_since_ >= kForever || must_rewind_ || OUTBOX_MUTANT(kTopicIsNotFound)) return;
  if (now >= next_topic_rewind_) {
    next_topic_rewind_ = now + settings_.rescan_rest * std::max(now - waiting_since_, kMinTopicWait);
    RewindNow(now);
  } else {
    holds_.FindThoseThatAwaitTopics();
  }
  waiting_since_ = kForever;
}

std::string ReadScheduler::FindBrokenInvariant() const {
  if (std::string unknown = state_.counts().FindUnknown(); !unknown.empty()) return unknown;
  if (!reading() && (stale_ || woken_ || topics_known_ || skips_retries_))
    return "reading: something waits for a read that is not under way";
  if (most_rows_ == 0 || most_rows_ > settings_.batch_events)
    return "reading: 0 rows, or more than a batch, are to be read";
  if (InRescanStep() && !rescanning_ && !must_rewind_) return "reading: a rescan step without a rescan";
  return {};
}

}  // namespace outbox::engine
