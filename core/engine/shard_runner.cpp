#include "engine/shard_runner.hpp"

#include <spdlog/logger.h>

#include <algorithm>

#include "engine/clock.hpp"

namespace outbox::engine {
namespace {

// Of one shard, when the relay may hold all of them: its memory has one limit.
Settings MakeSettings(const config::Relay& c, bool marks_rows, std::uint32_t shards) {
  Settings s;
  s.window_events = std::max(2U, c.max_in_flight_events / shards);
  s.batch_events = std::min(c.batch_size, s.window_events / 2);
  s.window_bytes = std::max<std::uint64_t>(2, c.max_in_flight_bytes / shards);
  s.order_keys = c.ordering == config::Ordering::kKey;
  s.marks_rows = marks_rows;
  s.policies = Policies(c).All();
  s.poll_interval = Micros(c.poll_interval);
  s.delivery_timeout = Micros(c.delivery_timeout);
  s.lease_margin = Micros(c.reserve_duration) / 5;
  s.seed = static_cast<std::uint64_t>(Now());
  return s;
}

// The engine only thinks, and what it calls must not wait.
constexpr Millis kTurnAllowed{5'000};
// A reset collects reports for some seconds, and then waits for the old producer's threads.
constexpr Millis kResetAllowed{10'000};

}  // namespace

Result<std::unique_ptr<ShardRunner>> ShardRunner::Start(std::uint32_t shard, std::uint32_t shards, Parts parts,
                                                        const PublisherFactory& publishers) {
  std::unique_ptr<ShardRunner> runner(new ShardRunner(shard, shards, std::move(parts)));
  auto publisher = publishers(*runner);
  if (!publisher.ok()) return publisher.status();
  const Parts& p = runner->parts_;
  runner->publisher_ = std::move(*publisher);
  const std::string whose = " of shard " + std::to_string(shard);
  runner->reader_ = std::make_unique<Reader>(
      p.store, *runner->publisher_, p.relay_id, p.database, p.watchdog->Watch("reader" + whose),
      [r = runner.get()](Reading reading) {
        r->mailbox_.Post(
            [r, shared = std::make_shared<Reading>(std::move(reading))] { r->Arrived(std::move(*shared)); });
      },
      [r = runner.get()](outbox_code code) { r->mailbox_.Post([r, code] { r->engine_.ReserveFailed(code); }); });
  runner->writer_ = std::make_unique<Writer>(
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
      policies_(parts_.config),
      settings_(MakeSettings(parts_.config, parts_.store->MarksRows(), shards)),
      engine_(settings_) {}

// Records may point into batches until the publisher is gone.
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

void ShardRunner::LeaseHeld(std::uint64_t token, Time until, bool careful) {
  mailbox_.Post([this, token, until, careful] {
    tenure_.Held(token, until, careful);
    first_step_ = first_step_ || careful;
  });
}

void ShardRunner::LeaseLost() {
  mailbox_.Post([this] { tenure_.Lost(); });
}

void ShardRunner::HandOver(std::uint64_t token, Time until) {
  mailbox_.Post([this, token, until] {
    if (tenure_.HandOver(token, until)) parts_.retired(shard_, token, false);
  });
}

void ShardRunner::Retire(Time deadline) {
  mailbox_.Post([this, deadline] { tenure_.Stop(deadline); });
}

void ShardRunner::Wake() {
  mailbox_.Post([this] { engine_.Wake(); });
}

void ShardRunner::Retired() {
  reader_->Rest();
  writer_->Rest();
  const Tenure::Ended ended = tenure_.Retired();
  if (ended != Tenure::Ended::kLease) parts_.retired(shard_, tenure_.token(), ended == Tenure::Ended::kForGood);
  if (tenure_.Waits(Now())) mailbox_.Post([this] { tenure_.Resume(); });
}

// ---- the publisher's reports, on its threads ----

void ShardRunner::OnReports(std::span<const publish::Report> reports) {
  mailbox_.Post([this, at = WallTime(), copy = std::vector<publish::Report>(reports.begin(), reports.end())] {
    Reported(copy, at);
  });
}

void ShardRunner::OnReset(std::uint32_t epoch) {
  mailbox_.Post([this, epoch] {
    reset_->Leave();
    engine_.ResetDone(epoch);
  });
}

void ShardRunner::OnProducerFailed(const std::string& why) {
  parts_.logger->debug("producer of shard {} begins anew: {}", shard_, why);
  mailbox_.Post([this] { engine_.ProducerFailed(); });
}

void ShardRunner::OnBrokerState(bool up, const std::string& why) {
  if (up)
    parts_.broker->Good({this});
  else
    parts_.broker->Bad({this}, why);
}

// ---- the engine's thread ----

void ShardRunner::Run() {
  std::vector<Mailbox::Task> tasks;
  while (!stop_) {
    mailbox_.Take(tasks, engine_.NextDeadline());
    const Watched watch(*turn_, "a turn", kTurnAllowed);
    engine_.Advance(Now());
    for (const auto& task : tasks) task();
    engine_.TakeCommands([this](const Command& c, std::span<const EventIndex> events,
                                std::span<const FailedEvent> failures) { Execute(c, events, failures); });
    if (first_step_ && !engine_.InFirstStep()) {
      first_step_ = false;
      parts_.first_step_over(shard_);
    }
    Show();
  }
}

// Once a turn, for as many events as it was about.
void ShardRunner::Show() {
  std::int64_t oldest = 0;
  for (const std::int64_t created : created_) {
    if (created > 0 && (oldest == 0 || created < oldest)) oldest = created;
  }
  const ShardObservation now{
      shard_, engine_.Active(), engine_.LeaseUntil(), engine_.OwedSince(), engine_.InHand(), engine_.InFlight(),
      oldest};
  const std::lock_guard lock(shown_mutex_);
  tally_.counters = engine_.counters();
  tally_.latency = latency_;
  observation_ = now;
}

// Before the engine may forget the events.
void ShardRunner::Reported(std::span<const publish::Report> reports, Time at) {
  for (const publish::Report& r : reports) {
    if (r.outcome != publish::Outcome::kStored || !engine_.Awaits(r)) continue;
    if (const Time created = Row(r.event).created_us; created > 0) latency_.Add(at - created);
  }
  engine_.Reported(reports);
}

void ShardRunner::Execute(const Command& command, std::span<const EventIndex> events,
                          std::span<const FailedEvent> failures) {
  switch (command.what) {
    case Do::kReserve: {
      ReadOrder order;
      order.reserve.max_events = command.rows;
      order.reserve.max_bytes = settings_.batch_bytes();
      order.reserve.reserve_duration = parts_.config.reserve_duration;
      order.reserve.sweep = command.sweep;
      order.call = MakeCall(tenure_.token());
      order.forgotten.swap(forgotten_);
      reader_->Read(std::move(order));
      break;
    }
    case Do::kPublish:
      Publish(events, command.epoch);
      break;
    case Do::kReset:
      reset_->Enter("a reset", Micros(kResetAllowed));
      publisher_->Reset(command.epoch);
      break;
    case Do::kConfirm:
      WriteRows(Write::kConfirm, events);
      break;
    case Do::kFail:
      WriteFailures(failures);
      break;
    case Do::kRelease:
      WriteRows(Write::kRelease, events);
      break;
    case Do::kMark:
      WriteMark(events);
      break;
    case Do::kForget:
      for (const EventIndex e : events) forgotten_.emplace_back(View(Row(e).row_id));
      break;
    case Do::kFreeBatch:
      batches_[command.batch].reset();
      created_[command.batch] = 0;
      break;
    case Do::kRetired:
      Retired();
      break;
  }
}

void ShardRunner::Arrived(Reading reading) {
  for (std::size_t i = 0; i < reading.events.size(); ++i)
    reading.events[i].policy = policies_.Of(View(reading.batch->batch[i].topic));
  const BatchIndex b = engine_.Reserved(reading.reservation, reading.events);
  if (b >= batches_.size()) {
    batches_.resize(b + 1);
    created_.resize(b + 1);
  }
  created_[b] = reading.batch->batch.empty() ? 0 : reading.batch->batch[0].created_us;
  batches_[b] = std::move(reading.batch);
}

void ShardRunner::Publish(std::span<const EventIndex> events, std::uint32_t epoch) {
  for (std::size_t i = 0; i < events.size();) {
    const BatchIndex b = engine_.BatchOf(events[i]);
    outgoing_.clear();
    for (; i < events.size() && engine_.BatchOf(events[i]) == b; ++i) {
      outgoing_.push_back({engine_.PositionOf(events[i]), events[i]});
    }
    publisher_->Publish(*batches_[b], outgoing_, epoch);
  }
}

void ShardRunner::WriteRows(Write what, std::span<const EventIndex> events) {
  WriteOrder order;
  order.what = what;
  order.call = MakeCall(what == Write::kConfirm ? 0 : batches_[engine_.BatchOf(events.front())]->batch.token());
  order.rows.reserve(events.size());
  for (const EventIndex e : events) order.rows.push_back(Row(e).row_id);
  writer_->Do(std::move(order));
}

void ShardRunner::WriteFailures(std::span<const FailedEvent> failures) {
  failing_.assign(failures.begin(), failures.end());
  WriteOrder order;
  order.what = Write::kFail;
  order.call = MakeCall(batches_[engine_.BatchOf(failures.front().event)]->batch.token());
  for (const FailedEvent& f : failures) {
    const publish::Refusal why = WhyFailed(f);
    const std::string& reason = order.texts.emplace_back(why.reason);
    const std::string& text = order.texts.emplace_back(why.text);
    order.failures.push_back(
        {Row(f.event).row_id, Raw(reason), Raw(text), f.retry_after / kMillisecond, f.disposition, 0});
  }
  writer_->Do(std::move(order));
}

// The batch may be given up while the mark is being written: unlike the others, this order owns its row id.
void ShardRunner::WriteMark(std::span<const EventIndex> events) {
  WriteOrder order;
  order.what = Write::kMark;
  order.call = MakeCall(tenure_.token());
  for (const EventIndex e : events) order.rows.push_back(Raw(order.texts.emplace_back(View(Row(e).row_id))));
  writer_->Do(std::move(order));
}

// A failure is told when it is recorded: not with each try while the database cannot do that.
void ShardRunner::Answered(const Written& written) {
  if (written.what == Write::kMark) return engine_.Marked(written.code, written.owners);
  if (written.what == Write::kFail && written.code == OUTBOX_OK) {
    for (const FailedEvent& f : failing_) {
      const publish::Refusal why = WhyFailed(f);
      LogFailure(f, why);
      const std::lock_guard lock(shown_mutex_);
      ++tally_.failures[{why.reason, f.disposition}];
    }
  }
  engine_.Written(written.what, written.code);
}

publish::Refusal ShardRunner::WhyFailed(const FailedEvent& failed) const {
  if (failed.error == publish::kEndsRelays)
    return {"ends_relays",
            fmt::format("{} relays in a row ended while they were sending this event alone; their logs, and what the "
                        "supervisor and the kernel say of their ends, may tell why",
                        settings_.most_owners)};
  const publish::PreparedBatch& batch = *batches_[engine_.BatchOf(failed.event)];
  const std::int32_t refusal = batch.events[engine_.PositionOf(failed.event)].refusal;
  return refusal >= 0 ? batch.refusals[static_cast<std::size_t>(refusal)] : publisher_->Explain(failed.error);
}

// One line a second at most, of each of the two kinds: a topic that is gone may fail a million events.
void ShardRunner::LogFailure(const FailedEvent& failed, const publish::Refusal& why) {
  FailureLog& log = failed.disposition == OUTBOX_RETRY ? log_retries_ : log_given_up_;
  const Time now = Now();
  if (now < log.quiet_until) {
    ++log.unlogged;
    return;
  }
  log.quiet_until = now + kSecond;
  const outbox_event& row = Row(failed.event);
  const std::string next = failed.disposition == OUTBOX_DEAD ? "moved to the dead letters"
                           : failed.disposition == OUTBOX_BLOCK
                               ? "given up, its key waits for an operator"
                               : fmt::format("next try in {} ms", failed.retry_after / kMillisecond);
  const std::string more = log.unlogged > 0 ? fmt::format(" ({} more not shown)", log.unlogged) : "";
  log.unlogged = 0;
  parts_.logger->warn("event {} for topic '{}' failed (attempt {} of {}): {}: {}; {}{}", View(row.event_id),
                      View(row.topic), row.attempts + 1, settings_.policies[policies_.Of(View(row.topic))].max_attempts,
                      why.reason, why.text, next, more);
}

const outbox_event& ShardRunner::Row(EventIndex e) const {
  return batches_[engine_.BatchOf(e)]->batch[engine_.PositionOf(e)];
}

Call ShardRunner::MakeCall(std::uint64_t token) const { return {shard_, token, parts_.config.storage_timeout}; }

}  // namespace outbox::engine
