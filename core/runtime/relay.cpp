#include "runtime/relay.hpp"

#include <unistd.h>

#include <random>

#include "runtime/clock.hpp"
#include "runtime/missing_abilities.hpp"
#include "util/log.hpp"
#include "util/shortage.hpp"

namespace outbox::runtime {
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
      connection_(store_, database_, watchdog_->Watch("lease thread")),
      assignment_(Micros(config_.reserve_duration), Micros(config_.poll_interval)) {
  if (config_.id.empty()) config_.id = MakeId();
  lease_id_ = LeaseId(config_.id, incarnation_);
}

Relay::~Relay() {
  Stop(config::Duration(0));
  waker_.reset();
  hints_.reset();
  if (lease_thread_.joinable()) lease_thread_.join();  // it uses the runners
  runners_.clear();
}

Status Relay::Start() {
  if (const auto missing = FindMissingAbilities(config_, *store_); !missing.empty())
    return {OUTBOX_BAD_CONFIG, missing.front().text + "; " + missing.front().fix};
  if (!config_.hints.empty()) {
    auto hints = HintListener::Start(config_.hints, [this] { Wake(); });
    if (!hints.ok()) return hints.status();
    hints_ = std::move(*hints);
    util::LogInfo(*logger_, "hints: datagrams at {}", hints_->address());
  }
  auto runner = MakeRunner(0);
  if (!runner.ok()) return runner.status();
  {
    const std::lock_guard lock(mutex_);
    runners_[0] = std::move(*runner);
  }
  lease_thread_ = std::thread([this] { KeepLeases(); });
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

Result<std::unique_ptr<ShardRunner>> Relay::MakeRunner(std::uint32_t shard) {
  const auto retired = [this](std::uint32_t which, std::uint64_t token, bool for_good) {
    const std::lock_guard lock(mutex_);
    if (for_good)
      ++retired_;
    else
      to_return_[which] = token;
    changed_.notify_all();
  };
  const auto first_step_over = [this](std::uint32_t which) {
    const std::lock_guard lock(mutex_);
    if (first_step_ == which) first_step_.reset();
    first_step_over_ = true;
    changed_.notify_all();
  };
  try {
    return ShardRunner::Start(
        shard, assignment_.shards(),
        {config_, lease_id_, store_, database_, broker_, watchdog_, logger_, retired, first_step_over}, publishers_);
  } catch (const std::exception& error) {
    return StatusOf(error);  // no thread, no memory: tried again, or the end of the start
  }
}

Status Relay::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failed_ || left_; });
  return failed_ ? failure_ : Status();
}

void Relay::Fail(Status status) {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(status);
  failed_ = true;
  changed_.notify_all();
}

engine::Counters Relay::counters() const { return Observe().tally.counters; }

Observation Relay::Observe() const {
  Observation seen;
  seen.relay_id = config_.id;
  seen.incarnation = incarnation_;
  seen.database = database_->State();
  seen.broker = broker_->State();
  seen.calls = watchdog_->UnderWay(Now());
  const std::lock_guard lock(mutex_);
  seen.stopping = stopping_;
  seen.tally = past_;
  for (const auto& [shard, runner] : runners_) {
    seen.tally += runner->tally();
    seen.shards.push_back(runner->Observe());
  }
  return seen;
}

// Half of the time for answers that are under way, the rest for confirming them and for giving the lease back.
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
    retired_ = 0;
    stop_by_ = deadline;
    for (auto& [shard, runner] : runners_) {
      runner->Retire(Now() + Micros(timeout) / 2);
      runner->StopPreparing();
    }
    changed_.notify_all();
  }
  const auto left_by = [&](engine::Time t) {
    return changed_.wait_for(lock, std::chrono::microseconds(std::max<engine::Time>(0, t - Now())),
                             [this] { return left_; });
  };
  if (left_by(deadline - Micros(timeout) / 4)) return retired_ == runners_.size();
  // Something hangs in a call.
  for (auto& [shard, runner] : runners_) runner->CancelCalls();
  connection_.Cancel();
  return left_by(deadline) && retired_ == runners_.size();
}

// ---- the lease thread ----

void Relay::KeepLeases() {
  const engine::Time lease = Micros(config_.reserve_duration);
  if (!store_->HasLeases()) runners_[0]->LeaseHeld(0, engine::kForever);
  while (true) {
    engine::Time wait = engine::kForever;
    if (store_->HasLeases()) {
      if (auto next = Heartbeat(); next.ok()) {
        wait = *next;
      } else {
        if (next.status().code() == OUTBOX_BAD_CONFIG && !met_database_) Fail(next.status());
        wait = assignment_.NextTry();
      }
    }
    std::unique_lock lock(mutex_);
    const auto interrupted = [this] { return stopping_ && (retired_ == runners_.size() || Now() >= stop_by_); };
    if (wait >= engine::kForever)
      changed_.wait(lock, [this] { return stopping_; });
    else
      changed_.wait_for(lock, std::chrono::microseconds(wait),
                        [&] { return stopping_ ? interrupted() : first_step_over_ || !to_return_.empty(); });
    first_step_over_ = false;
    if (!stopping_) continue;
    changed_.wait_for(lock, std::chrono::microseconds(std::min(lease / 5, std::max<engine::Time>(0, stop_by_ - Now()))),
                      interrupted);
    if (!interrupted()) continue;  // renew once more while the last events are resolved
    const engine::Time deadline = stop_by_;
    lock.unlock();
    GiveBack(deadline);
    lock.lock();
    left_ = true;
    changed_.notify_all();
    return;
  }
}

Result<engine::Time> Relay::Heartbeat() {
  ReturnRetired();
  const engine::Time asked = Now();
  auto held = connection_.Use("heartbeat", MakeCall(), [&](storage::Session& session) {
    return session.Heartbeat(lease_id_, config_.reserve_duration, MakeCall());
  });
  if (!held.ok()) return held.status();
  met_database_ = true;
  if (held->shards_total != assignment_.shards()) Resize(held->shards_total);
  const bool was_idle = assignment_.owned().empty();
  for (const engine::LeaseAction& order : assignment_.Answered(*held, asked)) Apply(order);
  if (assignment_.owned().empty() && (!told_standby_ || !was_idle)) {
    if (held->namesakes > 0)
      util::LogInfo(
          *logger_,
          "standby: a relay with the same id ({}) holds the lease: one that ended without a clean stop, or one that "
          "runs"
          " elsewhere; taking over when the lease ends",
          config_.id);
    else
      util::LogInfo(*logger_, "standby: another relay holds the lease; taking over when it ends");
    told_standby_ = true;
  }
  if (assignment_.MeetsNamesake(*held, asked))
    util::LogWarning(
        *logger_,
        "another running relay has the same id ({}); this one is incarnation {}. Each works only on shards that it has"
        " leased itself; give every relay an id of its own in /relay/id, or none",
        config_.id, incarnation_);
  return assignment_.NextBeat();
}

void Relay::Apply(const engine::LeaseAction& order) {
  const auto runner = runners_.find(order.shard);
  switch (order.what) {
    case engine::LeaseAction::What::kLost:
      util::LogWarning(*logger_, "lease of shard {} lost", order.shard);
      if (runner != runners_.end()) runner->second->LeaseLost();
      return;
    case engine::LeaseAction::What::kHandOver:
      if (order.news) util::LogInfo(*logger_, "handing shard {} over to another relay", order.shard);
      if (runner != runners_.end()) {
        runner->second->HandOver(order.token, order.until);
      } else {
        const std::lock_guard lock(mutex_);
        to_return_[order.shard] = order.token;
      }
      return;
    case engine::LeaseAction::What::kWork:
      break;
  }
  const bool slow_start = order.news && WasLost(order);
  if (slow_start) {
    const std::lock_guard lock(mutex_);
    if (first_step_ && first_step_ != order.shard) return assignment_.NotBegun(order.shard);
    first_step_ = order.shard;
  }
  if (runner == runners_.end()) {
    auto made = MakeRunner(order.shard);
    if (!made.ok()) {
      util::LogError(*logger_, "no publisher for shard {}: {}", order.shard, made.status().text());
      assignment_.NotBegun(order.shard);
      const std::lock_guard lock(mutex_);
      if (first_step_ == order.shard) first_step_.reset();
      return;
    }
    const std::lock_guard lock(mutex_);
    if (stopping_) return;  // it would not be told to retire
    runners_[order.shard] = std::move(*made);
  }
  if (order.news)
    util::LogInfo(
        *logger_, "delivering shard {} of {} as {} (token {}){}", order.shard, assignment_.shards(), config_.id,
        order.token,
        slow_start ? "; an owner ended without releasing it, so it starts slowly until the oldest events are delivered"
                   : "");
  runners_[order.shard]->LeaseHeld(order.token, order.until, slow_start);
}

bool Relay::WasLost(const engine::LeaseAction& order) {
  Call call = MakeCall();
  call.shard = order.shard;
  call.token = order.token;
  const auto lost = connection_.Use("was_lost", call, [&](storage::Session& session) { return session.WasLost(call); });
  return lost.ok() ? *lost : lost.status().code() != OUTBOX_UNSUPPORTED;
}

// Their number changes only while no relay runs, or after the lease of one that was out of reach has ended: nothing is
// sent under the old one any more.
void Relay::Resize(std::uint32_t shards) {
  std::map<std::uint32_t, std::unique_ptr<ShardRunner>> old;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    for (const auto& [shard, runner] : runners_) past_ += runner->tally();
    old.swap(runners_);
    to_return_.clear();
    first_step_.reset();
  }
  assignment_.Begin(shards);
}

void Relay::ReturnRetired() {
  std::map<std::uint32_t, std::uint64_t> retired;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    retired.swap(to_return_);
  }
  const std::vector<outbox_owned_shard> shards = assignment_.StillHeld(retired);
  if (shards.empty()) return;
  const Status returned = connection_.Use("release_shards", MakeCall(), [&](storage::Session& session) {
    return session.ReleaseShards(lease_id_, shards, /*deregister=*/false, MakeCall());
  });
  // Told again by the next heartbeat, and then done again.
  if (!returned.ok()) return;
  assignment_.Returned(shards);
  for (const outbox_owned_shard& s : shards) {
    std::unique_ptr<ShardRunner> gone;
    const std::lock_guard lock(mutex_);
    const auto runner = runners_.find(s.shard);
    if (stopping_ || runner == runners_.end()) continue;
    past_ += runner->second->tally();
    gone = std::move(runner->second);
    runners_.erase(runner);
  }
}

void Relay::GiveBack(engine::Time deadline) {
  if (!store_->HasLeases() || !met_database_) return;
  bool all_retired = false;
  {
    const std::lock_guard lock(mutex_);
    all_retired = retired_ == runners_.size();
  }
  // A shard with something unresolved is left to its lease: nobody may begin before that ends.
  std::vector<outbox_owned_shard> shards;
  if (all_retired) {
    for (const auto& [shard, token] : assignment_.owned()) shards.push_back({shard, OUTBOX_SHARD_OWNED, token});
  }
  // The connection may have died in silence since the last heartbeat: a second try, on a new one, needs its time as well.
  Status left;
  for (const int tries : {2, 1}) {
    Call call = MakeCall();
    const engine::Time share = std::max<engine::Time>(100 * engine::kMillisecond, (deadline - Now()) / tries);
    call.timeout = std::min(call.timeout, std::chrono::duration_cast<Millis>(std::chrono::microseconds(share)));
    left = connection_.Use("release_shards", call, [&](storage::Session& session) {
      return session.ReleaseShards(lease_id_, shards, all_retired, call);
    });
    if (left.code() != OUTBOX_TIMEOUT) break;
  }
  if (!left.ok())
    util::LogWarning(*logger_, "the lease could not be given back ({}): a standby takes over when it ends",
                     left.text());
}

}  // namespace outbox::runtime
