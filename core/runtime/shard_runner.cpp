#include "runtime/shard_runner.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <variant>

#include "runtime/clock.hpp"
#include "util/log.hpp"

namespace outbox::runtime {
namespace {

// kMaxUntilRemoval is the longest pause between two attempts to remove the rows of undeletable events. kRemovalAllowed
// is the timeout of one attempt, which may occupy the writer for half of the timeout.
constexpr engine::Time kMaxUntilRemoval = 60 * engine::kSecond;
constexpr Millis kRemovalAllowed{2'000};

// Maximum number of failures that wait to be recorded, at about 300 bytes each. The databases record 14 000 to 34 000
// failures per second (docs/lab/performance.md).
constexpr std::uint32_t kMaxAwaitingRecord = 200'000;
// Maximum number of keys that wait for a topic that is not known yet, at about 80 bytes each.
constexpr std::uint32_t kMaxWaitingKeys = 200'000;

// Returns the settings of the engine of one shard. The limits of the relay are divided by the number of shards, because
// the relay may hold all shards.
engine::Settings MakeSettings(const config::Relay& c, std::uint32_t shards) {
  engine::Settings s;
  s.window_events = std::max(2U, c.max_in_flight_events / shards);
  s.batch_events = std::min(c.batch_size, s.window_events / 2);
  s.window_bytes = std::max<std::uint64_t>(2, c.max_in_flight_bytes / shards);
  s.order_keys = c.ordering == config::Ordering::kKey;
  s.max_awaiting_record = kMaxAwaitingRecord / shards;
  s.max_waiting_keys = std::max(1U, kMaxWaitingKeys / shards);
  s.policies = FailurePolicies(c).All();
  s.poll_interval = Micros(c.poll_interval);
  s.delivery_timeout = Micros(c.delivery_timeout);
  s.lease_margin = Micros(c.reserve_duration) / 5;
  s.removal_interval = std::clamp<engine::Time>(s.policies[0].max_retry_backoff, engine::kSecond, kMaxUntilRemoval);
  s.seed = static_cast<std::uint64_t>(Now());
  return s;
}

// The time limit of a turn of the engine, which only computes and calls nothing that waits.
constexpr Millis kTurnAllowed{5'000};
// The time limit of a reset, which collects reports for some seconds and then waits for the threads of the old
// producer.
constexpr Millis kResetAllowed{10'000};

}  // namespace

Result<std::unique_ptr<ShardRunner>> ShardRunner::Start(std::uint32_t shard, std::uint32_t shards, Parts parts,
                                                        const publisher::PublisherFactory& publishers) {
  std::unique_ptr<ShardRunner> runner(new ShardRunner(shard, shards, std::move(parts)));
  auto publisher = publishers(*runner);
  if (!publisher.ok()) return publisher.status();
  const Parts& p = runner->parts_;
  runner->publisher_ = std::move(*publisher);
  const std::string whose = " of shard " + std::to_string(shard);
  runner->reader_ = std::make_unique<StorageReader>(
      p.store, *runner->publisher_, p.relay_id, p.database, p.watchdog->Watch("reader" + whose),
      [r = runner.get()](Reading reading) {
        r->mailbox_.Post(
            [r, shared = std::make_shared<Reading>(std::move(reading))] { r->Arrived(std::move(*shared)); });
      },
      [r = runner.get()](outbox_code code) { r->mailbox_.Post([r, code] { r->engine_.ReserveFailed(code); }); });
  runner->writer_ = std::make_unique<StorageWriter>(
      p.store, p.database, p.watchdog->Watch("writer" + whose), p.logger,
      [r = runner.get()](const Written& written) { r->mailbox_.Post([r, written] { r->Answered(written); }); });
  runner->thread_ = std::thread([r = runner.get()] { r->Run(); });
  return runner;
}

ShardRunner::ShardRunner(std::uint32_t shard, std::uint32_t shards, Parts parts)
    : shard_(shard),
      parts_(std::move(parts)),
      turn_(parts_.watchdog->Watch("engine of shard " + std::to_string(shard))),
      reset_(parts_.watchdog->Watch("publisher of shard " + std::to_string(shard))),
      trial_reset_(parts_.watchdog->Watch("trials of shard " + std::to_string(shard))),
      policies_(parts_.config),
      settings_(MakeSettings(parts_.config, shards)),
      engine_(settings_),
      log_retries_(parts_.logger, "failed in the last second and will be retried; `outbox-relay status` counts them"),
      log_given_up_(parts_.logger,
                    "were given up in the last second; `outbox-relay dead list`, also with --blocked, lists them"),
      log_kept_(parts_.logger,
                "were recorded as undeletable in the last second; `outbox-relay dead list --undeletable` lists them"),
      log_returns_(parts_.logger, "came back to the outbox in the last second after their removal and are sent again") {
}

// Destroys the publisher before the batches, because its records may point into the batches.
ShardRunner::~ShardRunner() {
  stop_ = true;
  if (thread_.joinable()) {
    mailbox_.Post([] {});
    thread_.join();
  }
  CancelCalls();
  reader_.reset();
  writer_.reset();
  publisher_.reset();
  parts_.broker->Forget(this);
}

void ShardRunner::CancelCalls() {
  if (publisher_) publisher_->Cancel();
  if (reader_) reader_->Cancel();
  if (writer_) writer_->Cancel();
}

Tally ShardRunner::tally() const {
  const std::lock_guard lock(shown_mutex_);
  return tally_;
}

ShardObservation ShardRunner::Observe() const {
  const std::lock_guard lock(shown_mutex_);
  return observation_;
}

// ---- the lease ----

void ShardRunner::Hold(std::uint64_t token, engine::Time until, bool slow_start) {
  mailbox_.Post([this, token, until, slow_start] {
    engine_.Hold(token, until, slow_start);
    if (slow_start) first_steps_ = token;
  });
}

void ShardRunner::Release(engine::ReleaseReason reason, std::uint64_t token, engine::Time until) {
  mailbox_.Post([this, reason, token, until] { engine_.Release(reason, token, until); });
}

void ShardRunner::Wake() {
  mailbox_.Post([this] { engine_.Wake(); });
}

void ShardRunner::Execute(const engine::command::Released& released) {
  reader_->Rest();
  writer_->Rest();
  if (released.reason != engine::ReleaseReason::kLost) parts_.released(shard_, released.token, released.reason);
}

// ---- the publisher's reports, on its threads ----

void ShardRunner::OnReports(std::span<const publisher::Report> reports) {
  mailbox_.Post([this, at = WallTime(), copy = std::vector<publisher::Report>(reports.begin(), reports.end())] {
    Reported(copy, at);
  });
}

void ShardRunner::OnReset(std::uint32_t epoch) {
  mailbox_.Post([this, epoch] {
    (publisher::IsTrial(epoch) ? trial_reset_ : reset_)->Leave();
    engine_.ResetDone(epoch);
  });
}

void ShardRunner::OnProducerFailed(const std::string& why) {
  util::LogDebug(*parts_.logger, "restarting the producer of shard {}: {}", shard_, why);
  mailbox_.Post([this] { engine_.ProducerFailed(); });
}

void ShardRunner::OnProducerOutdated(const std::string& why) {
  util::LogDebug(*parts_.logger, "replacing the producer of shard {}: {}", shard_, why);
  mailbox_.Post([this] { engine_.ProducerOutdated(); });
}

void ShardRunner::OnBrokerState(bool up, const std::string& why) {
  if (up)
    parts_.broker->Good({this});
  else
    parts_.broker->Bad({this}, why);
}

void ShardRunner::OnBrokersUnreachable(const std::string& why) {
  const std::lock_guard lock(shown_mutex_);
  unreachable_brokers_ = why;
  observation_.unreachable_brokers = why;
}

void ShardRunner::OnTopicsKnown() {
  mailbox_.Post([this] { engine_.TopicsKnown(); });
}

// ---- the engine's thread ----

void ShardRunner::Run() {
  std::vector<Mailbox::Task> tasks;
  while (!stop_) {
    mailbox_.Take(tasks, std::min({engine_.NextDeadline(), log_retries_.Due(), log_given_up_.Due(), log_kept_.Due(),
                                   log_returns_.Due()}));
    const Watched watch(*turn_, "a turn", kTurnAllowed);
    engine_.Advance(Now());
    for (const auto& task : tasks) task();
    engine_.TakeCommands([this](const engine::Command& any) {
      std::visit([this](const auto& command) { this->Execute(command); }, any);
    });
    CheckInvariants();
    if (mark_failed_ && !engine_.WantsToMark()) {
      writer_->GiveUp(engine::Write::kMark);
      mark_failed_ = false;
    }
    // A lease that was gained while the previous one is ending has not begun yet; until it begins, the engine has
    // another token.
    if (first_steps_ == engine_.token() && !engine_.InFirstSteps())
      parts_.first_steps_over(shard_, *std::exchange(first_steps_, std::nullopt));
    for (FailureLog* log : {&log_retries_, &log_given_up_, &log_kept_, &log_returns_}) log->Flush(Now());
    Show();
  }
  for (FailureLog* log : {&log_retries_, &log_given_up_, &log_kept_, &log_returns_}) log->Flush(engine::kForever);
}

// Aborts the process if an invariant of the engine is broken, before the relay does damage. Does nothing unless
// OUTBOX_CHECK_INVARIANTS is defined, as in debug builds.
void ShardRunner::CheckInvariants() const {
#ifdef OUTBOX_CHECK_INVARIANTS
  const std::string broken = engine_.CheckInvariants();
  if (broken.empty()) return;
  util::LogError(*parts_.logger, "shard {}: an invariant of the engine is broken ({}); this is a bug, please report it",
                 shard_, broken);
  std::abort();
#endif
}

// Updates the results of tally() and Observe(). Called once per turn, however many events the turn has handled.
void ShardRunner::Show() {
  std::int64_t oldest = 0;
  for (const std::int64_t created : created_) {
    if (created > 0 && (oldest == 0 || created < oldest)) oldest = created;
  }
  ShardObservation now{shard_,
                       engine_.IsOwner(),
                       engine_.LeaseUntil(),
                       engine_.OwedSince(),
                       engine_.Outstanding(),
                       engine_.InFlight(),
                       oldest,
                       engine_.RemovesNothingSince(),
                       engine_.CannotRecord(),
                       engine_.FailuresUnrecorded(),
                       {},
                       {},
                       {}};
  if (now.removes_nothing_since < engine::kForever || now.cannot_record) now.kept_why = kept_why_;
  if (now.cannot_record || now.failures_unrecorded) now.record_why = record_why_;
  const std::lock_guard lock(shown_mutex_);
  tally_.counters = engine_.counters();
  tally_.latency = latency_;
  now.unreachable_brokers = unreachable_brokers_;
  observation_ = std::move(now);
}

// Counts the latencies of acknowledged events, then passes the reports to the engine. The order matters, because the
// engine may forget the events when it takes the reports.
void ShardRunner::Reported(std::span<const publisher::Report> reports, engine::Time at) {
  for (const publisher::Report& r : reports) {
    if (r.outcome != publisher::Outcome::kAcknowledged || !engine_.Awaits(r)) continue;
    if (const engine::Time created = Row(r.event).created_us; created > 0) latency_.Add(at - created);
  }
  engine_.Reported(reports);
}

void ShardRunner::Execute(const engine::command::Reserve& command) {
  ReadRequest order;
  order.reserve.max_events = command.rows;
  order.reserve.max_bytes = settings_.batch_bytes();
  order.reserve.reserve_duration = parts_.config.reserve_duration;
  order.reserve.mode = command.mode;
  order.reserve.skip_retries = command.skip_retries;
  order.call = MakeCall(engine_.token());
  order.forgotten.swap(forgotten_);
  reader_->Read(std::move(order));
}

void ShardRunner::Execute(const engine::command::Publish& command) {
  outgoing_.clear();
  for (const engine::EventIndex e : command.events)
    outgoing_.push_back({batches_[engine_.BatchOf(e)].get(), engine_.PositionOf(e), e});
  publisher_->Publish(outgoing_, command.epoch);
}

void ShardRunner::Execute(const engine::command::Reset& command) {
  (publisher::IsTrial(command.epoch) ? trial_reset_ : reset_)->Enter("a reset", Micros(kResetAllowed));
  publisher_->Reset(command.epoch);
}

void ShardRunner::Execute(const engine::command::FreeBatch& command) {
  batches_[command.batch].reset();
  created_[command.batch] = 0;
}

void ShardRunner::Arrived(Reading reading) {
  for (std::size_t i = 0; i < reading.events.size(); ++i) {
    const Event row = reading.batch->Content(i).event;
    reading.events[i].policy = policies_.Of(row.topic);
    const ReturnedRows::Seen seen = returned_.Read(row.row_id, row.event_id, Now());
    if (seen == ReturnedRows::Seen::kNew) continue;
    reading.events[i].returned = seen == ReturnedRows::Seen::kBackAgain;
    if (seen == ReturnedRows::Seen::kBackAgain)
      NoteKept(row, {}, engine::Kept::kCameBack);
    else
      NoteReturn(row, seen == ReturnedRows::Seen::kBackElsewhere);
  }
  const engine::BatchIndex b = engine_.Reserved(reading.reservation, reading.events);
  if (b >= batches_.size()) {
    batches_.resize(b + 1);
    created_.resize(b + 1);
  }
  created_[b] = reading.batch->batch.empty() ? 0 : reading.batch->batch[0].created_us;
  batches_[b] = std::move(reading.batch);
}

void ShardRunner::Execute(const engine::command::Forget& command) {
  for (const engine::EventIndex e : command.events) {
    const FailedRows::Row* const failed = failed_.Find(e);
    forgotten_.emplace_back(failed ? failed->row_id.View() : ToRowId(Row(e).row_id));
    if (failed) failed_.Remove(e);
  }
}

void ShardRunner::Execute(const engine::command::Release& command) {
  WriteRequest order;
  order.what = engine::Write::kRelease;
  order.call = MakeCall(batches_[engine_.BatchOf(command.events.front())]->batch.token());
  order.rows.reserve(command.events.size());
  for (const engine::EventIndex e : command.events) order.rows.push_back(Row(e).row_id);
  writer_->Do(std::move(order));
}

void ShardRunner::Execute(const engine::command::Confirm& command) {
  WriteRequest order;
  order.call = MakeCall(0);
  order.confirmed.reserve(command.events.size());
  for (const engine::EventIndex e : command.events) order.confirmed.push_back({Row(e).row_id, Row(e).event_id});
  writer_->Do(std::move(order));
}

void ShardRunner::Execute(const engine::command::Remove&) {
  WriteRequest order;
  order.what = engine::Write::kRemove;
  order.call = MakeCall(0);
  order.call.timeout = std::min(order.call.timeout, kRemovalAllowed);
  order.again = std::chrono::duration_cast<Millis>(std::chrono::microseconds(settings_.policies[0].max_retry_backoff));
  writer_->Do(std::move(order));
}

// Requests a write of the poison mark. Unlike other requests, this request owns its row id, because the batch may be
// freed while the mark is being written.
void ShardRunner::Execute(const engine::command::Mark& command) {
  WriteRequest order;
  order.what = engine::Write::kMark;
  order.call = MakeCall(engine_.token());
  for (const engine::EventIndex e : command.events) order.marked = ToRowId(Row(e).row_id);
  writer_->Do(std::move(order));
}

// Takes the answer to a write. A failure is logged once it is recorded, not on each attempt to record it.
void ShardRunner::Answered(const Written& written) {
  switch (written.what) {
    case engine::Write::kMark:
      mark_failed_ = written.code != OUTBOX_OK;
      return engine_.Marked(written.code, written.owners);
    case engine::Write::kRemove:
      if (written.removed > 0)
        util::LogInfo(*parts_.logger,
                      "{} delivered events that could not be removed from the outbox before have now been removed",
                      written.removed);
      return engine_.Removed(written.code, written.removed);
    case engine::Write::kConfirm:
      Confirmed(written);
      break;
    case engine::Write::kFail:
      if (written.code == OUTBOX_OK)
        Recorded();
      else
        record_why_ = written.text;
      break;
    case engine::Write::kRelease:
      break;
  }
  // After OUTBOX_LEASE_LOST the engine pauses for a second, so the line below is logged at most once per second.
  if (written.code == OUTBOX_LEASE_LOST && engine_.LeaseUntil() == engine::kForever)
    util::LogWarning(
        *parts_.logger,
        "shard {}: the storage did not {}, because rows are no longer marked for this relay: {}; they are read again "
        "and may be sent twice; this is normal after a pause of this process or of the storage, otherwise the adapter "
        "compares the wrong marks",
        shard_, written.what == engine::Write::kFail ? "record failures" : "release rows", written.text);
  engine_.Written(written.what, written.code, written.kept);
}

const outbox_event& ShardRunner::Row(engine::EventIndex e) const {
  return batches_[engine_.BatchOf(e)]->batch[engine_.PositionOf(e)];
}

Event ShardRunner::Content(engine::EventIndex e) const {
  return batches_[engine_.BatchOf(e)]->Content(engine_.PositionOf(e)).event;
}

Call ShardRunner::MakeCall(std::uint64_t token) const { return {shard_, token, parts_.config.storage_timeout}; }

}  // namespace outbox::runtime
