#include "runtime/relay.hpp"

#include <unistd.h>

#include <random>
#include <utility>

#include "runtime/clock.hpp"
#include "runtime/missing_abilities.hpp"
#include "util/log.hpp"
#include "util/shortage.hpp"

namespace outbox::runtime {

namespace shards = engine::shards;

namespace {

std::string MakeId() {
  char host[256] = "relay";
  gethostname(host, sizeof host - 1);
  return fmt::format("{}-{}-{:08x}", host, getpid(), std::random_device{}());
}

}  // namespace

Relay::Relay(config::Relay config, std::shared_ptr<storage::Store> store, publisher::PublisherFactory publishers,
             std::shared_ptr<spdlog::logger> logger)
    : config_(std::move(config)),
      store_(std::move(store)),
      publishers_(std::move(publishers)),
      logger_(std::move(logger)),
      database_(std::make_shared<PeerHealth>("database", logger_)),
      broker_(std::make_shared<PeerHealth>("broker", logger_)),
      watchdog_(std::make_shared<Watchdog>(logger_)),
      coordinator_({Micros(config_.reserve_duration), Micros(config_.poll_interval), store_->HasLeases()}),
      connection_(store_, database_, watchdog_->Watch("lease thread")) {
  if (config_.id.empty()) config_.id = MakeId();
  lease_id_ = LeaseId(config_.id, incarnation_);
}

Relay::~Relay() {
  Stop(config::Duration(0));
  waker_.reset();
  source_.reset();
  hints_.reset();
  if (lease_thread_.joinable()) lease_thread_.join();  // the lease thread uses the runners
  runners_.clear();
}

Status Relay::Start() {
  if (const auto missing = FindMissingAbilities(config_, *store_); !missing.empty())
    return {OUTBOX_BAD_CONFIG, missing.front().text + "; " + missing.front().fix};
  if (!config_.hints.empty()) {
    auto hints = HintListener::Start(config_.hints, [this] { Wake(); });
    if (!hints.ok()) return hints.status();
    hints_ = std::move(*hints);
    util::LogInfo(*logger_, "hints: receiving datagrams at {}", hints_->address());
  }
  auto runner = NewRunner(0, 1);
  if (!runner.ok()) return runner.status();
  {
    const std::lock_guard lock(mutex_);
    runners_[0] = std::move(*runner);
  }
  lease_thread_ = std::thread([this] { KeepLeases(); });
  if (source_interval_) {
    source_ = std::make_unique<SourceWatch>(store_, watchdog_->Watch("source watch", WatchdogHandle::Duty::kSpare),
                                            *source_interval_, config_.storage_timeout, logger_);
  }
  if (config_.wake_up) {
    waker_ = std::make_unique<Waker>(store_, watchdog_->Watch("waker", WatchdogHandle::Duty::kSpare), logger_,
                                     [this] { Wake(); });
  }
  return {};
}

void Relay::Wake() {
  const std::lock_guard lock(mutex_);
  for (const auto& [shard, one] : runners_) one->Wake();
}

Result<std::unique_ptr<ShardRunner>> Relay::NewRunner(std::uint32_t shard, std::uint32_t shards_total) {
  const auto released = [this](std::uint32_t which, std::uint64_t token, engine::ReleaseReason reason) {
    const std::lock_guard lock(mutex_);
    Decide([&] { coordinator_.Released(which, token, reason); });
  };
  const auto first_steps_over = [this](std::uint32_t which, std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    Decide([&] { coordinator_.FirstStepsOver(which, token); });
  };
  try {
    return ShardRunner::Start(
        shard, shards_total,
        {config_, lease_id_, store_, database_, broker_, watchdog_, logger_, released, first_steps_over}, publishers_);
  } catch (const std::exception& error) {
    return StatusOf(error);  // no thread or no memory: Start() fails, and the lease thread tries again later
  }
}

Status Relay::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failed_ || left_; });
  return failed_ ? failure_ : Status();
}

engine::Counters Relay::counters() const { return Observe().tally.counters; }

Observation Relay::Observe() const {
  Observation seen;
  seen.relay_id = config_.id;
  seen.incarnation = incarnation_;
  seen.database = database_->State();
  seen.broker = broker_->State();
  seen.calls = watchdog_->UnderWay(Now());
  if (source_) seen.source_problem = source_->Problem();
  const std::lock_guard lock(mutex_);
  seen.stopping = stopping_;
  seen.tally = past_;
  for (const auto& [shard, runner] : runners_) {
    seen.tally += runner->tally();
    seen.shards.push_back(runner->Observe());
  }
  return seen;
}

bool Relay::Stop(config::Duration timeout) {
  const engine::Time deadline = Now() + Micros(timeout);
  std::unique_lock lock(mutex_);
  if (!lease_thread_.joinable()) {
    left_ = true;
    changed_.notify_all();
    return true;
  }
  if (!stopping_) {
    stopping_ = true;
    if (waker_) waker_->Stop();
    if (source_) source_->Stop();
    Decide([&] { coordinator_.Stop(deadline); });
    for (auto& [shard, runner] : runners_) runner->StopPreparing();
  }
  const auto left_by = [&](engine::Time t) {
    return changed_.wait_for(lock, std::chrono::microseconds(std::max<engine::Time>(0, t - Now())),
                             [this] { return left_; });
  };
  if (left_by(deadline - Micros(timeout) / 4)) return complete_;
  // Three quarters of the timeout are over, so a call hangs.
  for (auto& [shard, runner] : runners_) runner->CancelCalls();
  connection_.Cancel();
  return left_by(deadline) && complete_;
}

// Passes Hold and Release on to the runner on any thread, because the runner only puts them into its mailbox. All other
// commands wait for the lease thread: a call may hang, making or ending a runner takes time, and the log may be slow.
template <class F>
void Relay::Decide(F input) {
  coordinator_.Advance(Now());
  input();
  for (shards::Command& command : coordinator_.TakeCommands()) {
    if (std::holds_alternative<shards::Hold>(command) || std::holds_alternative<shards::Release>(command))
      std::visit([this](const auto& one) { this->Do(one); }, command);
    else
      to_do_.push_back(std::move(command));
  }
  changed_.notify_all();
}

void Relay::Do(const shards::Hold& hold) { runners_.at(hold.shard)->Hold(hold.token, hold.until, hold.slow_start); }

void Relay::Do(const shards::Release& release) {
  runners_.at(release.shard)->Release(release.reason, release.token, release.until);
}

// ---- the lease thread ----

void Relay::KeepLeases() {
  std::unique_lock lock(mutex_);
  Decide([this] { coordinator_.Start(); });
  while (!left_) {
    if (!to_do_.empty()) {
      const shards::Command command = std::move(to_do_.front());
      to_do_.pop_front();
      lock.unlock();
      std::visit([this](const auto& one) { this->Do(one); }, command);
      lock.lock();
    } else if (const engine::Time due = coordinator_.NextDeadline(); due >= engine::kForever) {
      changed_.wait(lock);
    } else if (const engine::Time wait = due - Now(); wait > 0) {
      changed_.wait_for(lock, std::chrono::microseconds(wait));
    } else {
      Decide([] {});
    }
  }
}

template <class F>
void Relay::Answer(F input) {
  const std::lock_guard lock(mutex_);
  Decide(input);
}

void Relay::Do(const shards::Heartbeat&) {
  const auto held = connection_.Use("heartbeat", MakeCall(), [&](storage::Session& session) {
    return session.Heartbeat(lease_id_, config_.reserve_duration, MakeCall());
  });
  last_status_ = held.status();
  Answer([&] { coordinator_.HeartbeatAnswered(held.status().code(), held.ok() ? *held : Lease()); });
}

void Relay::Do(const shards::AskWasLost& ask) {
  Call call = MakeCall();
  call.shard = ask.shard;
  call.token = ask.token;
  const auto lost = connection_.Use("was_lost", call, [&](storage::Session& session) { return session.WasLost(call); });
  Answer([&] { coordinator_.WasLostAnswered(lost.status().code(), lost.ok() && *lost); });
}

void Relay::Do(const shards::MakeRunner& make) {
  auto made = NewRunner(make.shard, make.shards_total);
  if (!made.ok())
    util::LogError(*logger_, "cannot begin to deliver shard {}: {}; retrying after the next heartbeat", make.shard,
                   made.status().text());
  Answer([&] {
    if (made.ok()) runners_[make.shard] = std::move(*made);
    coordinator_.RunnerMade(made.ok());
  });
}

void Relay::Do(const shards::ReleaseShards& release) {
  Call call = MakeCall();
  if (release.timeout < engine::kForever)
    call.timeout =
        std::min(call.timeout, std::chrono::duration_cast<Millis>(std::chrono::microseconds(release.timeout)));
  last_status_ = connection_.Use("release_shards", call, [&](storage::Session& session) {
    return session.ReleaseShards(lease_id_, release.shards, release.deregister, call);
  });
  Answer([&] { coordinator_.ShardsReleased(last_status_.code()); });
}

// Destroys the runner after mutex_ is unlocked: threads of the runner may be waiting for mutex_ to report to the relay.
void Relay::Do(const shards::RemoveRunner& remove) {
  std::unique_ptr<ShardRunner> gone;
  const std::lock_guard lock(mutex_);
  const auto runner = runners_.find(remove.shard);
  past_ += runner->second->tally();
  gone = std::move(runner->second);
  runners_.erase(runner);
}

void Relay::Do(const shards::RemoveAllRunners&) {
  std::map<std::uint32_t, std::unique_ptr<ShardRunner>> gone;
  const std::lock_guard lock(mutex_);
  for (const auto& [shard, runner] : runners_) past_ += runner->tally();
  gone.swap(runners_);
}

void Relay::Do(const shards::CannotStart&) {
  const std::lock_guard lock(mutex_);
  failure_ = last_status_;
  failed_ = true;
  changed_.notify_all();
}

void Relay::Do(const shards::Left& left) {
  const std::lock_guard lock(mutex_);
  complete_ = left.complete;
  left_ = true;
  changed_.notify_all();
}

// ---- the log ----

void Relay::Do(const shards::Delivering& delivering) {
  util::LogInfo(*logger_, "delivering shard {} of {} as {} (token {}){}", delivering.shard, delivering.shards_total,
                config_.id, delivering.token,
                delivering.slow_start ? "; an earlier owner did not release it: starting slowly, until the oldest "
                                        "events are delivered"
                                      : "");
}

void Relay::Do(const shards::HandingOver& handing_over) {
  util::LogInfo(*logger_, "releasing shard {} to another relay", handing_over.shard);
}

void Relay::Do(const shards::LeaseLost& lost) {
  util::LogWarning(*logger_, "lease of shard {} lost; not sending its events until it is leased again", lost.shard);
}

void Relay::Do(const shards::Standby& standby) {
  if (standby.namesakes > 0)
    util::LogInfo(*logger_,
                  "standby: a relay with the same id ({}) holds the lease: one that ended without a clean stop, or one "
                  "that runs elsewhere; taking over when the lease expires or is released",
                  config_.id);
  else
    util::LogInfo(*logger_, "standby: another relay holds the lease; taking over when it expires or is released");
}

void Relay::Do(const shards::NamesakeRuns&) {
  util::LogWarning(
      *logger_,
      "another running relay has the same id ({}); this one is incarnation {}. Each delivers only shards that it has "
      "leased itself; give every relay its own id in /relay/id, or none",
      config_.id, incarnation_);
}

void Relay::Do(const shards::LeftToLease&) {
  util::LogWarning(*logger_, "the lease could not be released ({}); a standby takes over when it expires",
                   last_status_.text());
}

}  // namespace outbox::runtime
