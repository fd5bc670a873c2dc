// The part of Engine that chooses the next commands.
#include <algorithm>
#include <utility>

#include "engine/engine.hpp"

namespace outbox::engine {

void Engine::Decide() {
  if (lease_.Waits(now_)) Follow(lease_.BeginWaiting());
  CheckDeadlines();
  SendQueued();
  SendTrials();
  if (!events_.detached().empty()) {
    // Many failures may wait to be recorded, so the payloads of failed events are not kept in memory.
    Emit(command::Detach{}, events_.detached());
    events_.FreeDetached([this](BatchIndex b) { Emit(command::FreeBatch{b}); });
  }
  FreeWhatIsDone();
  // A step of a slow start must end before ReadIfThereIsRoom is called: in a backlog, the next step is read in the same
  // turn in which the previous step is settled.
  if (Outstanding() == 0) slow_start_.StepEnds(lease_.IsOwner());
  WriteWhatIsDue();
  ReadIfThereIsRoom();
  ReportRelease();
}

void Engine::CheckDeadlines() {
  if (now_ >= lease_.until() - settings_.lease_margin) LoseLease(false);
  const bool drain_is_over = now_ >= lease_.drain_by();
  if (window_.DeliveryOverdue(now_)) ResetStream(true);
  if (window_.ReservationOfFlightEnds(now_) || (drain_is_over && window_.in_flight() > 0)) ResetStream(false);
  if (trials_.ResetDue(now_) || (drain_is_over && trials_.InFlight() > 0)) ResetTrials();
  if (now_ >= std::min(window_.QueueUntil(), trials_.WaitingUntil())) ResetStream(false);
}

bool Engine::MaySend() const {
  return lease_.IsOwner() && !window_.resetting() && !slow_start_.HoldsSending() && !records_.CannotRecord();
}

void Engine::SendQueued() {
  if (!MaySend() || GathersRecords()) return;
  const auto first = static_cast<std::uint32_t>(arguments_.size());
  while (!window_.queue().empty()) {
    const EventIndex e = window_.queue().front();
    Event& event = events_[e];
    const EventTable::Batch& batch = events_.BatchOf(event);
    if (batch.routes != window_.routes()) {
      if (window_.in_flight() > 0 || !trials_.Idle()) break;
      window_.SetRoutes(batch.routes);
    }
    if (trials_.GoesAlone(event, now_)) {
      trials_.Enqueue(window_.TakeFirst(), window_.NextFlight());
      continue;
    }
    if (!window_.SendFirst(event, batch.until, now_)) break;
    arguments_.push_back(e);
    if (OUTBOX_MUTANT(kConfirmBeforeAck)) Acknowledged(e);
  }
  const std::uint32_t count = window_.CloseFlight(now_);
  if (count == 0) return;
  counters_.sent += count;
  commands_.push_back({command::Publish{window_.epoch()}, first, count});
}

void Engine::SendTrials() {
  if (!MaySend()) return;
  const auto first = static_cast<std::uint32_t>(arguments_.size());
  const std::uint32_t count = trials_.Begin(now_, arguments_);
  if (count == 0) return;
  counters_.sent += count;
  commands_.push_back({command::Publish{trials_.epoch()}, first, count});
}

// True if queued events wait so that more of them are sent together. They wait in a backlog, while the broker or the
// database is still busy with earlier events and more rows are about to be read. A larger burst has more records for
// each partition, so there are fewer and larger requests, and each request costs the broker time. The wait does not
// slow down delivery, because the slower of the two peers is busy meanwhile.
bool Engine::GathersRecords() const {
  return reads_.more() && (window_.in_flight() > 0 || confirms_.busy()) &&
         window_.queue().size() < settings_.events_at_once() && (reads_.reading() || CanRead());
}

bool Engine::GathersConfirms() const { return lease_.IsOwner() && !window_.resetting() && InFlight() > 0; }

void Engine::WriteWhatIsDue() {
  if (confirms_.Take(now_, GathersConfirms())) {
    confirms_.slot().Begin();
    Emit(command::Confirm{}, confirms_.confirming());
  }
  if (records_.Take(now_)) {
    records_.slot().Begin();
    Emit(command::Fail{records_.recording()});
  }
  if (lease_.IsOwner() && removals_.Take(now_)) {
    removals_.slot().Begin();
    Emit(command::Remove{});
  }
  if (slow_start_.TakeMark(now_, !window_.queue().empty())) {
    const bool clears = slow_start_.Clears();
    slow_start_.MarkBegins();
    const EventIndex marked = clears ? 0 : window_.queue().front();
    Emit(command::Mark{}, clears ? std::span<const EventIndex>() : std::span(&marked, 1));
  }
  if (releases_.slot.Ready(now_)) {
    if (releases_.writing.empty())
      releases_.TakeUnderOneToken(settings_.batch_events, [this](EventIndex e) { return events_.Token(e); });
    if (!releases_.writing.empty()) {
      releases_.slot.Begin();
      Emit(command::Release{}, releases_.writing);
    }
  }
}

void Engine::FreeWhatIsDone() {
  const auto free = [this](BatchIndex b) { Emit(command::FreeBatch{b}); };
  events_.FreeEmptyBatches(free);
  if (events_.settled().empty()) return;
  Emit(command::Forget{}, events_.settled());
  events_.FreeSettled(free);
}

// True if the next read may begin. Failed events that wait to be recorded count against the window only as far as they
// exceed max_awaiting_record. If they all counted, events for a missing topic could fill the window, and every other
// event would wait until their failures are recorded.
bool Engine::CanRead() const {
  if (slow_start_.HoldsReading(Outstanding())) return false;
  const std::size_t in_window = Outstanding() - records_.BesideWindow();
  return lease_.IsOwner() && !window_.resetting() && !reads_.reading() && !records_.CannotRecord() &&
         releases_.empty() && in_window + settings_.batch_events <= settings_.window_events &&
         events_.bytes() + settings_.batch_bytes() <= settings_.window_bytes &&
         (holds_.AwaitTopics() < settings_.max_waiting_keys || reads_.RewindFollows());
}

void Engine::ReadIfThereIsRoom() {
  if (!CanRead()) return;
  if (OUTBOX_MUTANT(kRewindOnSettle) && holds_.RescanWanted()) reads_.RewindNow(now_);
  const bool slow = slow_start_.active();
  if (now_ < reads_.NextRead(slow)) return;
  const bool goes_on = reads_.rescanning();
  const command::Reserve reserve =
      reads_.Begin(now_, {.rows = slow_start_.rows(), .slow_start = slow, .many_failures = records_.AtLeastABatch()});
  if (reserve.mode == OUTBOX_REWIND || (reserve.mode == OUTBOX_RESCAN && !goes_on)) ++counters_.rescans;
  Emit(reserve);
}

void Engine::ReportRelease() {
  if (!lease_.IsEnding() || Outstanding() > 0 || reads_.reading()) return;
  if (window_.resetting() || trials_.resetting() || slow_start_.slot().busy()) return;
  slow_start_.Released();
  holds_.Clear();
  trials_.ForgetSuspicions();
  Emit(lease_.Drained());
}

void Engine::Emit(Command command, std::span<const EventIndex> events) {
  const auto first = static_cast<std::uint32_t>(arguments_.size());
  arguments_.insert(arguments_.end(), events.begin(), events.end());
  commands_.push_back({command, first, static_cast<std::uint32_t>(events.size())});
}

Time Engine::NextDeadline() const {
  if (lease_.Waits(now_)) return now_;
  Time next = kForever;
  const auto by = [&next](Time t) { next = std::min(next, t); };
  if (lease_.IsValid()) by(lease_.until() - settings_.lease_margin);
  if (CanRead()) by(reads_.NextRead(slow_start_.active()));
  by(window_.NextDeadline());
  by(trials_.WaitingUntil());
  by(trials_.NextDeadline(now_));
  if (window_.in_flight() > 0 && !window_.resetting()) by(lease_.drain_by());
  if (trials_.InFlight() > 0 && !trials_.resetting()) by(lease_.drain_by());
  by(confirms_.NextCall(GathersConfirms()));
  by(records_.NextCall());
  by(releases_.NextCall());
  if (lease_.IsOwner()) by(removals_.NextCall());
  by(slow_start_.NextCall(!window_.queue().empty()));
  return next < kForever / 2 ? next : kForever;  // kForever less a margin is still kForever
}

}  // namespace outbox::engine
