#include "tests/simulation/process.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "tests/simulation/engine_settings.hpp"

namespace outbox::simulation {

using engine::Command;
namespace command = engine::command;
using engine::EventIndex;
using engine::Write;

namespace {

// Number of reads that may leave a row out, not counting the reads that it takes to pass the rows before it.
constexpr std::size_t kMaxLeftOut = 4;

}  // namespace

Process::Process(Parts its_parts, RelayId its_id)
    : parts(its_parts),
      id(its_id),
      wall_ahead(its_parts.world.Between(-kSecond, kSecond)),
      offset_(its_parts.world.Between(0, 1000 * kSecond)),
      permille_(its_parts.world.Between(-20, 20)) {}

// Returns the world's time at which the local clock shows `local`, or a slightly later time.
Time Process::WorldAt(Time local) const { return (local - offset_) * 1000 / (1000 + permille_) + 2; }

ShardProcess::ShardProcess(Process& process, std::uint32_t shard, Position start, Released released,
                           FirstStepsOver first_steps_over)
    : process_(process),
      parts_(process.parts),
      shard_(shard),
      released_(std::move(released)),
      first_steps_over_(std::move(first_steps_over)),
      settings_(MakeSettings(parts_.scenario, parts_.world.Below(1'000'000), !parts_.ledger.only_refusals())),
      engine_(settings_),
      producer_({parts_.world, parts_.chances, parts_.ledger, parts_.history, parts_.broker, parts_.scenario}, shard,
                {[this](std::vector<publisher::Report> r) { Turn([this, r] { engine_.Reported(r); }); },
                 [this](std::uint32_t epoch) { Turn([this, epoch] { engine_.ResetDone(epoch); }); },
                 [this] { Turn([this] { engine_.ProducerFailed(); }); }, [this] { return process_.Awake(); }}),
      position_(start) {
  if (parts_.scenario.topic_unknown <= 0) topics_.fill(Topic::kKnown);
}

void ShardProcess::Hold(std::uint64_t token, Time until, bool slow_start) {
  Turn([this, token, until, slow_start] {
    engine_.Hold(token, until, slow_start);
    if (slow_start) first_steps_ = token;
  });
}

void ShardProcess::Release(engine::ReleaseReason reason, std::uint64_t token, Time until) {
  Turn([this, reason, token, until] { engine_.Release(reason, token, until); });
}

template <class F>
void ShardProcess::Turn(F input) {
  process_.Do([this, input] {
    if (dead_) return;
    engine_.Advance(process_.Local());
    input();
    // In one of eight turns, more inputs may arrive before the engine decides.
    if (parts_.world.Below(8) == 0) return parts_.world.After(parts_.world.Between(0, 300), [this] { Wake(); });
    engine_.TakeCommands([this](const Command& any) {
      if (process_.dead || dead_) return;
      std::visit([this](const auto& command) { this->Execute(command); }, any);
    });
    if (const std::string broken = engine_.CheckInvariants(); !broken.empty())
      parts_.ledger.Break("I0 engine: " + broken);
    // The tokens are compared because a lease that was gained before the previous one has ended has not begun yet.
    if (first_steps_ == engine_.token() && !engine_.InFirstSteps())
      first_steps_over_(shard_, *std::exchange(first_steps_, std::nullopt));
    const Time next = engine_.NextDeadline();
    if (next >= kForever) return;
    const Time at = std::max(process_.WorldAt(next), parts_.world.now() + 1);
    if (alarm_ > parts_.world.now() && alarm_ <= at) return;
    alarm_ = at;
    parts_.world.At(at, [this] { Wake(); });
  });
}

void ShardProcess::Wake() {
  Turn([] {});
}

// Returns the time until the lease ends or, where rows are marked, until the first mark on an outstanding row ends.
Time ShardProcess::TimeLeft() const {
  if (!parts_.scenario.marks_rows)
    return std::min(parts_.store.leases.Left(process_.id, parts_.store.clock()),
                    process_.lease_end - parts_.world.now());
  Time until = kForever;
  for (const Batch& batch : batches_)
    if (!batch.rows.empty()) until = std::min(until, batch.until);
  return until - process_.Local();
}

void ShardProcess::Execute(const command::Reset& reset) {
  left_out_.clear();
  parts_.history.Say("relay {} resets the producer of shard {}", process_.id, shard_);
  if (TimeLeft() < kLease / 4) parts_.ledger.LeaseEnds(shard_);
  producer_.Reset(reset.epoch);
}

void ShardProcess::Execute(const command::Confirm& confirm) {
  const auto kept = std::make_shared<std::vector<std::uint8_t>>();
  process_.Call(
      Process::Kind::kWrite,
      [this, rows = Rows(confirm.events), kept, token = engine_.token()] {
        const ModelStore& store = parts_.store;
        const bool owns = parts_.scenario.marks_rows || store.leases.Lives(shard_, process_.id, token, store.clock());
        return parts_.store.Confirm(rows, *kept, owns);
      },
      [this, kept](outbox_code code) {
        Turn([this, code, kept] {
          const bool answered = code == OUTBOX_OK;
          engine_.Written(Write::kConfirm, code,
                          answered ? std::span<const std::uint8_t>(*kept) : std::span<const std::uint8_t>());
        });
      });
}

void ShardProcess::Execute(const command::Remove&) {
  const auto removed = std::make_shared<std::uint64_t>(0);
  process_.Call(
      Process::Kind::kWrite,
      [this, removed] {
        *removed = parts_.store.RemoveDelivered();
        return OUTBOX_OK;
      },
      [this, removed](outbox_code code) { Turn([this, code, removed] { engine_.Removed(code, *removed); }); });
}

void ShardProcess::Execute(const command::Fail& fail) {
  std::vector<Failure> rows;
  for (const auto& f : fail.failures)
    rows.push_back({failed_.at(f.event), f.disposition, f.retry_after, f.error == publisher::kEndsRelays});
  process_.Call(
      Process::Kind::kWrite,
      [this, rows, token = fail.failures[0].token] {
        return parts_.store.Fail(shard_, token, rows) ? OUTBOX_OK : OUTBOX_LEASE_LOST;
      },
      [this](outbox_code code) { Turn([this, code] { engine_.Written(Write::kFail, code); }); });
}

void ShardProcess::Execute(const command::Release& release) {
  process_.Call(
      Process::Kind::kWrite,
      [this, rows = Rows(release.events), token = batches_[engine_.BatchOf(release.events[0])].token] {
        return parts_.store.ReleaseMarked(token, rows) ? OUTBOX_OK : OUTBOX_LEASE_LOST;
      },
      [this](outbox_code code) { Turn([this, code] { engine_.Written(Write::kRelease, code); }); });
}

void ShardProcess::Execute(const command::Detach& detach) {
  for (const EventIndex e : detach.events) failed_[e] = Held(e).row;
}

void ShardProcess::Execute(const command::Forget& forget) {
  for (const EventIndex e : forget.events) {
    const auto failed = failed_.find(e);
    const RowId id = failed == failed_.end() ? Held(e).row.id : failed->second.id;
    if (failed != failed_.end()) failed_.erase(failed);
    forgotten_.push_back(id);
    if (parts_.scenario.mutant == Mutant::kForgetAtOnce) outstanding_.erase(id);
  }
}

void ShardProcess::Execute(const command::FreeBatch& freed) { batches_[freed.batch].rows.clear(); }

void ShardProcess::Execute(const command::Released& released) {
  if (released.reason != engine::ReleaseReason::kLost) released_(shard_, released.token, released.reason);
}

// True if the relay may send the row, by the database's clock.
bool ShardProcess::MaySend(const Row& row) const {
  if (parts_.scenario.marks_rows) return parts_.store.IsFreeFor(row.id, process_.id);
  return parts_.store.leases.Lives(shard_, process_.id, engine_.token(), parts_.store.clock());
}

void ShardProcess::Execute(const command::Publish& publish) {
  for (const EventIndex e : publish.events) {
    const Row& row = Held(e).row;
    parts_.history.Say("relay {} sends {} of shard {}", process_.id, parts_.ledger.Name(row.event), shard_);
    parts_.ledger.Sent(row.event, MaySend(row));
    const Batch& batch = batches_[engine_.BatchOf(e)];
    parts_.ledger.SentOfRead(row.event, batch.read_at);
    if (batch.token != engine_.token() && !parts_.scenario.marks_rows)
      parts_.ledger.Break("I7 lease: " + parts_.ledger.Name(row.event) + " is sent, and was read under another lease");
    if (parts_.ledger.Of(row.event).poison == Poison::kKiller) {
      parts_.ledger.EndsRelay(row.event);
      return process_.crash();
    }
    producer_.Publish(LaneOf(row, batch.lanes), row, e, publish.epoch);
  }
}

void ShardProcess::Execute(const command::Mark& mark) {
  std::optional<RowId> row;
  if (!mark.events.empty()) row = Held(mark.events.front()).row.id;
  const auto owners = std::make_shared<std::uint32_t>(0);
  process_.Call(
      Process::Kind::kWrite,
      [this, row, token = engine_.token(), owners] {
        ModelLeases& leases = parts_.store.leases;
        if (!leases.Holds(shard_, token)) return OUTBOX_LEASE_LOST;
        *owners = leases.Mark(shard_, parts_.scenario.mutant == Mutant::kMarksFade ? std::nullopt : row);
        return OUTBOX_OK;
      },
      [this, owners](outbox_code code) { Turn([this, code, owners] { engine_.Marked(code, *owners); }); });
}

void ShardProcess::Execute(const command::Reserve& reserve) {
  asked_for_ = std::min(reserve.rows, parts_.scenario.batch);
  slow_read_ = engine_.StartsSlowly();
  CheckWindow(reserve.rows);
  for (const RowId id : forgotten_) outstanding_.erase(id);
  forgotten_.clear();
  if (parts_.scenario.marks_rows) return ReserveMarked(reserve.skip_retries);
  const std::uint64_t token = engine_.token();
  const auto seen = std::make_shared<Snapshot>();
  process_.Call(
      Process::Kind::kRead,
      [this, mode = reserve.mode, skip_retries = reserve.skip_retries, token, seen] {
        if (!parts_.store.leases.Holds(shard_, token)) return OUTBOX_LEASE_LOST;
        const bool gained = position_.token != token;
        if (parts_.scenario.mutant == Mutant::kSharedCursor && gained) {
          position_.token = token;
        } else if (mode == OUTBOX_REWIND || gained) {
          position_ = {.token = token};
          rescan_ = {};
        }
        if (gained) left_out_.clear();
        *seen = mode == OUTBOX_RESCAN ? parts_.store.LookBelow(shard_, position_, rescan_)
                                      : parts_.store.Look(shard_, position_);
        // A storage may return retries although the relay asked it to skip them.
        if (skip_retries && parts_.world.Coin()) seen->due.clear();
        return OUTBOX_OK;
      },
      [this, seen, mode = reserve.mode](outbox_code code) {
        if (code == OUTBOX_OK) return Arrived(*seen, mode);
        if (parts_.scenario.mutant == Mutant::kFailedReadIsForgotten) return;
        left_out_.clear();
        // Either the session is lost together with its position, or the session goes on and the rows of this answer
        // never arrive.
        bool more = false;
        std::vector<Found> lost;
        const auto none = [](RowId) { return false; };
        if (parts_.world.Coin()) {
          position_ = {};
          rescan_ = {};
        } else if (mode == OUTBOX_RESCAN && seen->commit > 0) {
          (void)ModelStore::ChooseBelow(*seen, position_, rescan_, asked_for_, none, lost);
        } else if (seen->commit > 0) {
          (void)parts_.store.Choose(*seen, position_, asked_for_, none, more);
        }
        Turn([this, code] { engine_.ReserveFailed(code); });
      });
}

// Reads where rows are marked. Each read returns the free rows from the oldest one on, including rows that it returned
// to this relay before and that are not outstanding there.
void ShardProcess::ReserveMarked(bool skip_retries) {
  const auto marked = std::make_shared<Marked>();
  process_.Call(
      Process::Kind::kWrite,
      [this, marked, rows = asked_for_, skip = skip_retries && parts_.world.Coin(), had = outstanding_, n = ++reads_] {
        // A read that timed out may still execute later. It then takes over the marks on rows that a newer read has
        // returned, and the store refuses to record failures of those rows.
        if (n != reads_) parts_.ledger.Fault(shard_, kLease);
        const auto outstanding = [&had](RowId id) { return had.contains(id); };
        *marked = parts_.store.ReserveMarked(process_.id, kLease, rows, skip, outstanding);
        return OUTBOX_OK;
      },
      [this, marked, until = process_.Local() + kLease](outbox_code code) {
        if (code != OUTBOX_OK) return Turn([this, code] { engine_.ReserveFailed(code); });
        Bring({.rows = marked->rows, .more = marked->more, .token = marked->token, .until = until, .at = marked->at});
      });
}

// Checks invariant I15 (window, see ledger.hpp). A relay with nothing outstanding may read one batch of any size.
void ShardProcess::CheckWindow(std::uint32_t rows) const {
  const std::size_t events = engine_.Outstanding();
  std::uint64_t bytes = 0;
  for (const Batch& batch : batches_) bytes += batch.rows.size() * kBytesOfRow;
  if (rows > settings_.batch_events || events + rows > settings_.window_events + settings_.max_awaiting_record)
    parts_.ledger.Break(fmt::format("I15 window: {} events are outstanding, and {} more are read", events, rows));
  if (events > 0 && bytes + settings_.batch_bytes() > settings_.window_bytes)
    parts_.ledger.Break(fmt::format("I15 window: {} bytes are outstanding, and more are read", bytes));
}

// Checks invariant I9 (fairness, see ledger.hpp) for a read in which only other rows can keep a row from being
// returned. At most half of a batch may be retries, and each row is skipped at most once. A key with a failed event
// waits until the failure is recorded.
void ShardProcess::CheckFairness(const Snapshot& snapshot, const std::vector<Found>& rows) {
  // A read returns late rows before all other rows, and each late row only once.
  const auto is_late = [&snapshot](const Found& found) {
    return std::ranges::any_of(snapshot.late, [&found](const Found& late) { return late.row.id == found.row.id; });
  };
  if (rows.size() == asked_for_ && std::ranges::all_of(rows, is_late)) return;
  const std::vector<EventNumber> readable = parts_.store.Readable(shard_, snapshot);
  const auto [all, unfailed] = parts_.store.RowsOf(shard_);
  const std::size_t most = kMaxLeftOut + all / ModelStore::kMaxRows + 2 * unfailed / parts_.scenario.batch;
  std::map<EventNumber, LeftOut> left_out;
  const auto waits = [this](int key) {
    return key != kNoKey && std::ranges::any_of(failed_, [key](const auto& one) { return one.second.key == key; });
  };
  for (const EventNumber e : readable) {
    const Fate& fate = parts_.ledger.Of(e);
    if (outstanding_.contains(fate.id) || parts_.ledger.EverFailed(fate.key) || waits(fate.key)) continue;
    if (waited_.contains(e) || waited_keys_.contains(fate.key)) continue;
    LeftOut& now = left_out[e];
    if (const auto before = left_out_.find(e); before != left_out_.end()) now = before->second;
    now.most = std::max(now.most, most * parts_.scenario.batch);
    now.asked_for += asked_for_;  // After a timeout, a read asks for less than a batch.
    if (now.asked_for > now.most)
      parts_.ledger.Break(fmt::format("I9 fairness: reads of {} rows have not brought {}, which nothing holds up",
                                      now.asked_for, parts_.ledger.Name(e)));
  }
  for (const Found& found : rows) left_out.erase(found.row.event);
  left_out_ = std::move(left_out);
}

void ShardProcess::Arrived(const Snapshot& snapshot, std::uint32_t mode) {
  Reading reading{.token = position_.token, .at = snapshot.at};
  const auto outstanding = [this](RowId id) { return outstanding_.contains(id); };
  if (mode == OUTBOX_RESCAN) {
    reading.reached = ModelStore::ChooseBelow(snapshot, position_, rescan_, asked_for_, outstanding, reading.rows);
  } else {
    reading.rows = parts_.store.Choose(snapshot, position_, asked_for_, outstanding, reading.more);
    // In a slow start, each step begins at the oldest row, so invariant I9 (fairness) does not apply.
    if (!slow_read_) CheckFairness(snapshot, reading.rows);
  }
  Bring(reading);
}

void ShardProcess::Bring(const Reading& reading) {
  const std::vector<bool> waits = AwaitTopics(reading.rows);
  const auto waiting = std::ranges::count(waits, true);
  // If the broker does not answer queries about topics and all rows of the read wait for such an answer, the read
  // fails.
  if (waiting > 0 && waiting == std::ssize(waits) && parts_.world.now() < parts_.broker.down_until) {
    std::vector<Row> rows;
    for (const Found& found : reading.rows) rows.push_back(found.row);
    if (parts_.scenario.marks_rows) (void)parts_.store.ReleaseMarked(reading.token, rows);
    left_out_.clear();
    return Turn([this] { engine_.ReserveFailed(OUTBOX_UNAVAILABLE); });
  }
  // A relay learns of new partitions some time after they were added. The records that the relay sent to the old
  // partitions must be answered before it uses the new ones.
  const bool drain_first = lanes_ != parts_.broker.lanes && lanes_ > 0 && parts_.world.Coin();
  if (drain_first || lanes_ == 0) lanes_ = parts_.broker.lanes;
  std::vector<engine::Incoming> incoming;
  for (std::size_t i = 0; i < reading.rows.size(); ++i) {
    const Found& found = reading.rows[i];
    outstanding_.insert(found.row.id);
    const Fate& fate = parts_.ledger.Of(found.row.event);
    const bool refused = fate.poison == Poison::kUnsendable || (fate.poison == Poison::kBadOnce && found.attempts < 1);
    incoming.push_back({.key_hash = static_cast<std::uint64_t>(found.row.key),
                        .has_key = found.row.key != kNoKey,
                        .attempts = found.attempts,
                        .lane = LaneOf(found.row, lanes_),
                        .refused = refused && !waits[i],
                        .waits = waits[i]});
  }
  const auto arrive = [this, incoming, reading, drain_first, lanes = lanes_] {
    const auto& [rows, more, reached, token, until, at] = reading;
    const engine::BatchIndex b =
        engine_.Reserved({rows.size() * kBytesOfRow, more, drain_first, until, reached, token}, incoming);
    if (b >= batches_.size()) batches_.resize(b + 1);
    batches_[b] = {rows, lanes, token, at, until};
  };
  if (waiting == 0) return Turn(arrive);
  // The broker may answer the queries about topics before the engine receives the batch.
  parts_.world.After(parts_.world.Between(0, 200), [this, arrive] { Turn(arrive); });
}

// Returns a value for each row: true if the row waits for information about its topic. Queries the topics that were
// not queried yet.
std::vector<bool> ShardProcess::AwaitTopics(const std::vector<Found>& rows) {
  for (Topic& topic : topics_)
    if (topic == Topic::kKnown && parts_.chances.Happens(Chance::kTopicUnknown, parts_.scenario.topic_unknown))
      topic = Topic::kUnknown;
  std::vector<bool> waits;
  for (const Found& found : rows) {
    const std::size_t topic = parts_.ledger.Of(found.row.event).spread / 7 % kTopics;
    if (topics_[topic] == Topic::kUnknown) AskForTopic(topic);
    waits.push_back(topics_[topic] != Topic::kKnown);
    if (!waits.back()) continue;
    waited_.insert(found.row.event);
    if (found.row.key != kNoKey) waited_keys_.insert(found.row.key);
  }
  return waits;
}

// Queries a topic. The broker mostly answers soon; for a topic that has to be created, the answer takes longer.
void ShardProcess::AskForTopic(std::size_t topic) {
  topics_[topic] = Topic::kAskedFor;
  const Time longest = parts_.world.Below(4) == 0 ? kSecond : 5 * kMillisecond;
  const Time answer = parts_.world.now() + parts_.world.Between(10, longest);
  parts_.world.At(std::max({answer, parts_.broker.down_until, process_.Awake()}), [this, topic] {
    if (dead_ || process_.dead) return;
    topics_[topic] = Topic::kKnown;
    left_out_.clear();
    parts_.world.After(parts_.world.Between(0, 200), [this] { Turn([this] { engine_.TopicsKnown(); }); });
  });
}

publisher::Lane ShardProcess::LaneOf(const Row& row, std::uint32_t lanes) const {
  return static_cast<publisher::Lane>(parts_.ledger.Of(row.event).spread % lanes);
}

const Found& ShardProcess::Held(EventIndex e) const { return batches_[engine_.BatchOf(e)].rows[engine_.PositionOf(e)]; }

std::vector<Row> ShardProcess::Rows(std::span<const EventIndex> events) const {
  std::vector<Row> rows;
  rows.reserve(events.size());
  for (const EventIndex e : events) rows.push_back(Held(e).row);
  return rows;
}

}  // namespace outbox::simulation
