// When the engine polls the outbox: whether there is room, how long the gap between polls is, and when a rescan takes a step.
#include <algorithm>
#include <utility>

#include "engine/engine.hpp"

namespace outbox::engine {
namespace {

// Of the reads of a backlog in a row, those that bring no retries.
constexpr std::uint32_t kMaxSkipped = 9;

}  // namespace

// Those that wait for their record count only where they are more than may: else a topic that is missing, with its events
// in front, would keep all others waiting for as long as its failures take to record.
std::size_t Engine::InWindow() const {
  return Outstanding() - std::min<std::size_t>(AwaitingRecord(), settings_.max_awaiting_record);
}

bool Engine::CanReserve() const {
  if (slow_start_ && (Outstanding() > 0 || mark_ == Mark::kWriting || mark_ == Mark::kClearing)) return false;
  return mode_ == Mode::kActive && !resetting_ && !reserving_ && !cannot_record_ && to_release_.empty() &&
         releasing_.empty() && InWindow() + settings_.batch_events <= settings_.window_events &&
         (Outstanding() == 0 || bytes_ + settings_.batch_bytes() <= settings_.window_bytes);
}

void Engine::PumpReserve() {
  if (!CanReserve() || now_ < NextRead()) return;
  reserving_ = true;
  if (Rewinds()) {
    must_rewind_ = must_rescan_ = rescanning_ = false;
    next_rescan_ = now_ + settings_.rescan_interval;
    std::erase_if(holds_, [](const auto& hold) { return hold.second.why == Hold::Why::kRescan; });
    ++counters_.rescans;
    last_read_ = now_;
    const std::uint32_t rows = slow_start_ ? slow_start_step_ : settings_.batch_events;
    commands_.push_back({.what = Do::kReserve, .mode = OUTBOX_REWIND, .rows = rows});
    return;
  }
  rescan_step_ = !slow_start_ && RescanWanted() && now_ >= next_step_;
  if (rescan_step_) return PumpRescan();
  last_read_ = now_;
  skips_retries_ = SkipsRetries();
  commands_.push_back({.what = Do::kReserve,
                       .rows = slow_start_ ? slow_start_step_ : settings_.batch_events,
                       .skip_retries = skips_retries_});
}

// In a backlog, while so many failures wait for their record that most retries would be dropped: looking for them takes
// time from the rows behind. Some reads bring them all the same: among them may be others than those.
bool Engine::SkipsRetries() {
  const bool skips = more_ && !slow_start_ && AwaitingRecord() >= settings_.batch_events && skipped_ < kMaxSkipped;
  skipped_ = skips ? skipped_ + 1 : 0;
  return skips;
}

void Engine::PumpRescan() {
  if (!std::exchange(rescanning_, true)) {
    must_rescan_ = false;
    ++rescan_;
    next_rescan_ = now_ + settings_.rescan_interval;
    ++counters_.rescans;
  }
  step_began_ = now_;
  commands_.push_back({.what = Do::kReserve, .mode = OUTBOX_RESCAN, .rows = settings_.batch_events});
}

// Of the reading, or of a rescan's next step, which waits for no row to come.
Time Engine::NextRead() const {
  if (Rewinds() || slow_start_) return next_read_;
  const Time wanted = rescanning_ || must_rescan_ ? 0 : next_rescan_;
  return std::min(next_read_, std::max(wanted, next_step_));
}

// Poll at once while there is more, after the shortest gap while rows come, and else after gaps that double.
void Engine::PacePolls(bool useful, bool crowded, bool more) {
  if (useful) {
    poll_gap_ = settings_.min_poll;
    next_read_ = more ? now_ : now_ + poll_gap_;
  } else {
    poll_gap_ = std::clamp(2 * poll_gap_, settings_.min_poll, settings_.poll_interval);
    // Where there are only retries that there is no room for, reading on at once would bring the same.
    if (crowded) poll_gap_ = std::min(poll_gap_, 16 * settings_.min_poll);
    next_read_ = more && !crowded ? now_ : now_ + poll_gap_;
  }
}

void Engine::Wake() {
  if (reserving_) {
    woken_ = true;
  } else if (polls_) {
    poll_gap_ = settings_.min_poll;
    next_read_ = std::min(next_read_, std::max(now_, last_read_ + settings_.min_poll));
  }
}

}  // namespace outbox::engine
