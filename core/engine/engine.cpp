// The part of Engine that reacts to the inputs.
#include "engine/engine.hpp"

#include <algorithm>
#include <cassert>

namespace outbox::engine {

using publisher::Outcome;

Engine::Engine(const Settings& settings)
    : settings_(settings),
      backoff_(settings.seed),
      slow_start_(settings_),
      reads_(settings_, holds_),
      window_(settings_, events_),
      trials_(settings_, events_, window_),
      confirms_(settings_),
      records_(settings_),
      removals_(settings_) {
  assert(!settings.policies.empty() && settings.batch_events > 0 &&
         settings.window_events >= 2 * settings.batch_events);
}

// ---- the lease ----

void Engine::Hold(std::uint64_t token, Time until, bool slow_start) { Follow(lease_.Hold(token, until, slow_start)); }

void Engine::Release(ReleaseReason reason, std::uint64_t token, Time until) {
  switch (reason) {
    case ReleaseReason::kLost:
      return LoseLease(true);
    case ReleaseReason::kHandOver:
      return Follow(lease_.HandOver(token, until));
    case ReleaseReason::kStop:
      return Follow(lease_.Stop(until));
  }
}

void Engine::Follow(ShardLease::Effect effect) {
  switch (effect) {
    case ShardLease::Effect::kNone:
      break;
    case ShardLease::Effect::kBegins:
      slow_start_.LeaseBegins(lease_.slow_start(), lease_.renewed());
      reads_.LeaseBegins(now_);
      removals_.LeaseBegins(now_);
      break;
    case ShardLease::Effect::kDrains:
      StopSending();
      records_.GiveUpBeyondABatch([this](EventIndex e) { events_.Settle(e); });
      break;
    case ShardLease::Effect::kEnds:
      ++counters_.leases_lost;
      window_.Owes(OwedSince());
      StopSending();
      // The lease is lost: the new owner of the shard reads the rows of the waiting events itself, and the storage
      // refuses writes about these rows under the old token.
      records_.GiveUpAll([this](EventIndex e) { events_.Settle(e); });
      for (const EventIndex e : releases_.waiting) events_.Settle(e);
      releases_.waiting.clear();
      slow_start_.LeaseIsLost();
      if (window_.in_flight() > 0) ResetStream(false);
      if (trials_.InFlight() > 0) ResetTrials();
      break;
    case ShardLease::Effect::kReleased:
      Emit(lease_.released());
      break;
  }
}

void Engine::StopSending() {
  reads_.MakeStale();
  const auto drop = [this](EventIndex e) { Drop(e); };
  window_.DropQueued([](const Event&) { return true; }, drop);
  trials_.DropAllWaiting(drop);
}

// ---- reads ----

BatchIndex Engine::Reserved(const Reservation& reservation, std::span<const Incoming> events) {
  assert(reads_.reading());
  counters_.reserved += events.size();
  const BatchIndex b = events_.AddBatch(reservation, events.size());
  const bool rescan_step = reads_.InRescanStep(), stale = reads_.Stale();
  ReadScheduler::Answer answer{.more = reservation.more,
                               .empty = events.empty(),
                               .crowded = reads_.SkipsRetries(),
                               .rescan = reservation.rescan};
  std::uint32_t waiting = 0;
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    const Incoming& in = events[i];
    answer.new_rows = answer.new_rows || in.attempts == 0;
    const EventIndex e = events_.Add(b, i, in, settings_.order_keys);
    const bool held = stale || (events_[e].ordered && holds_.KeepsBack(in.key_hash, rescan_step));
    // A retry for which there is no room is dropped. It stays due, and is read again when other retries are settled. A
    // retry that is refused before sending has room while less than a batch of failures waits to be recorded.
    const bool no_room = !in.returned && !in.waits && in.attempts > 0 &&
                         (in.refused ? records_.AtLeastABatch() : !trials_.RoomForRetries());
    answer.crowded = answer.crowded || no_room;
    if (held || no_room) {
      Drop(e);
      continue;
    }
    if (in.waits && !in.returned && !OUTBOX_MUTANT(kTopicIsCharged)) {
      // The next read returns this event again if the event is a retry, if a slow start reads from the oldest row, or
      // if the rows are marked as reserved. In all other cases the next read goes on from the position and returns new
      // rows.
      answer.waits = answer.waits || in.attempts > 0 || slow_start_.active() || reservation.until != kForever;
      ++waiting;
      AwaitTopic(e);
      continue;
    }
    answer.useful = true;
    Admit(e, in);
  }
  holds_.ReadEnds();
  if (!rescan_step) {
    // The outbox has no event left for which the broker could owe an answer: another relay delivered it, or it was
    // deleted.
    if (Outstanding() == 0 && !window_.resetting() && !reservation.more) window_.OwesNothing();
    // A step of a slow start has not begun if every event of the step waits for its topic: the step is read again.
    const bool begins = events.empty() ? !reservation.more : waiting < events.size();
    if (slow_start_.active() && !stale && begins)
      slow_start_.StepBegins(events.empty(), Outstanding() - waiting, window_.queue().size());
  }
  reads_.Answered(now_, answer);
  return b;
}

void Engine::ReserveFailed(outbox_code code) {
  reads_.Failed(now_, code == OUTBOX_TIMEOUT, backoff_);
  holds_.ReadEnds();
  if (code == OUTBOX_LEASE_LOST && lease_.CanEnd()) LoseLease(false);
}

// ---- the broker ----

void Engine::Reported(std::span<const publisher::Report> reports) {
  for (const publisher::Report& report : reports) {
    if (!Awaits(report)) continue;
    if (publisher::IsTrial(report.epoch)) {
      TrialReported(report);
      continue;
    }
    const EventIndex e = report.event;
    Event& event = events_[e];
    const Time sent = window_.Answered(event, report.outcome == Outcome::kAcknowledged, now_);
    switch (report.outcome) {
      case Outcome::kAcknowledged:
        Acknowledged(e);
        break;
      case Outcome::kUnknown:
        events_.Move(event, EventState::kUnknown);
        ResetStream(true);
        window_.Owes(sent);
        break;
      case Outcome::kRefused:
        // It is not known which event the broker meant, because all records of a request are refused together. So no
        // event is charged an attempt, and the events of the lane are sent as trials.
        events_.Move(event, EventState::kUnknown);
        window_.Refused();
        trials_.Suspect(event.lane, window_.epoch(), now_);
        ResetStream(false);
        break;
    }
  }
}

void Engine::ResetStream(bool outage) {
  if (window_.resetting()) return;
  const std::uint32_t epoch = window_.BeginReset(outage);
  ++counters_.resets;
  reads_.Rewind();
  StopSending();
  slow_start_.Break(outage);
  if (outage) window_.Owes(OwedSince());
  Emit(command::Reset{epoch});
}

void Engine::ResetDone(std::uint32_t epoch) {
  if (publisher::IsTrial(epoch)) return TrialResetDone(epoch);
  Time pause = 0;
  if (!window_.EndReset(epoch, backoff_, pause)) return;
  reads_.ResumeAt(now_);
  if (pause > 0) reads_.PauseUntil(now_ + pause);
  for (EventIndex e = 0; e < events_.slots(); ++e) {
    const EventState state = events_[e].state();
    if (state != EventState::kSent && state != EventState::kUnknown) continue;
    ++counters_.sent_again;
    if (OUTBOX_MUTANT(kRestartInReportOrder)) {
      events_.Move(events_[e], EventState::kQueued);
      window_.EnqueueFirst(e);
      continue;
    }
    Drop(e);
  }
}

// Reacts to a report about a trial. REQUIRES: Awaits(report).
void Engine::TrialReported(const publisher::Report& report) {
  const EventIndex e = report.event;
  if (report.outcome == Outcome::kUnknown) {
    window_.Owes(trials_.SentAt(e));
    return ResetTrials();  // the end of the reset drops the event
  }
  trials_.Answered(e);
  if (window_.FlightsOver() && trials_.InFlight() == 0) window_.OwesNothing();
  if (report.outcome == Outcome::kAcknowledged) return Acknowledged(e);
  if (lease_.IsLost()) return Drop(e);
  if (events_[e].attempts == 0) trials_.ProlongSuspicion(events_[e].lane, now_);
  Fail(e, report.error);
  DropBehind(e);
}

void Engine::ResetTrials() {
  if (trials_.resetting()) return;
  if (trials_.InFlight() > 0) window_.Owes(OwedSince());
  const std::uint32_t epoch = trials_.BeginReset();
  ++counters_.resets;
  slow_start_.Break(true);
  for (const EventIndex e : trials_.Tried()) {
    // If a later event of the key is failing, the key is already held.
    if (events_[e].ordered) holds_.HoldUnlessHeld(events_[e].key_hash, e);
    DropBehind(e);
  }
  Emit(command::Reset{epoch});
}

// Drops the trials whose outcome is not known at the end of the reset. Trials that were acknowledged or refused during
// the reset are not among them.
void Engine::TrialResetDone(std::uint32_t epoch) {
  std::vector<EventIndex> unknown;
  if (!trials_.EndReset(epoch, now_, backoff_, unknown)) return;
  if (!unknown.empty()) reads_.RewindNow(now_);
  for (const EventIndex e : unknown) {
    ++counters_.sent_again;
    DropBehind(e);
    Drop(e);
    // The read under way may return later events of the key, which must wait until the dropped event is read again.
    if (events_[e].ordered) holds_.HoldUntilRewound(events_[e].key_hash);
  }
}

// ---- the storage ----

void Engine::Written(Write what, outbox_code code, std::span<const std::uint8_t> kept) {
  switch (what) {
    case Write::kConfirm:
      ConfirmAnswered(code, kept);
      break;
    case Write::kFail:
      FailureAnswered(code);
      break;
    case Write::kRelease:
      ReleaseAnswered(code);
      break;
    case Write::kMark:
    case Write::kRemove:
      assert(false);  // Marked() and Removed() take the answers to these two kinds of writes
      break;
  }
}

void Engine::Removed(outbox_code code, std::uint64_t rows) {
  if (rows > 0) confirms_.NoteRemoved();
  removals_.Answered(now_, code != OUTBOX_UNSUPPORTED);
}

void Engine::Marked(outbox_code code, std::uint32_t owners) {
  const MarkAnswer answer{code, owners, !window_.queue().empty(), !lease_.IsOwner()};
  if (slow_start_.Marked(answer, now_, backoff_)) Fail(window_.TakeFirst(), publisher::kEndsRelays);
  if (code == OUTBOX_LEASE_LOST && lease_.CanEnd()) LoseLease(false);
}

std::string Engine::CheckInvariants() const {
  for (std::string broken :
       {events_.FindBrokenInvariant(), lease_.FindBrokenInvariant(Outstanding()),
        slow_start_.FindBrokenInvariant(Outstanding()), reads_.FindBrokenInvariant(),
        holds_.FindBrokenInvariant(reads_.reading(), reads_.RescanOrRewindFollows()), window_.FindBrokenInvariant(),
        trials_.FindBrokenInvariant(), confirms_.FindBrokenInvariant(events_), records_.FindBrokenInvariant(events_)})
    if (!broken.empty()) return broken;
  if (lease_.IsLost() && window_.in_flight() > 0 && !window_.resetting())
    return "engine: events are in flight in the main stream although the lease is lost";
  if (lease_.IsLost() && trials_.InFlight() > 0 && !trials_.resetting())
    return "engine: trials are in flight although the lease is lost";
  if (slow_start_.InFirstSteps() && slow_start_.LastFirstStepHasBegun() && Outstanding() == 0)
    return "engine: a slow start is still in its first steps although no event is outstanding";
  return {};
}

}  // namespace outbox::engine
