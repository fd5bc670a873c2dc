#include "engine/relay.hpp"

#include <spdlog/logger.h>
#include <unistd.h>

#include <random>

#include "engine/clock.hpp"

namespace outbox::engine {
namespace {

std::string MakeId() {
  char host[256] = "relay";
  gethostname(host, sizeof host - 1);
  return fmt::format("{}-{}-{:08x}", host, getpid(), std::random_device{}());
}

}  // namespace

Relay::Relay(config::Relay config, std::shared_ptr<plugins::Store> store, PublisherFactory publishers,
             std::shared_ptr<spdlog::logger> logger)
    : config_(std::move(config)),
      store_(std::move(store)),
      publishers_(std::move(publishers)),
      logger_(std::move(logger)),
      database_(std::make_shared<Condition>("database", logger_)),
      broker_(std::make_shared<Condition>("broker", logger_)),
      connection_(store_, database_) {
  if (config_.id.empty()) config_.id = MakeId();
}

Relay::~Relay() {
  Stop(config::Duration(0));
  if (lease_thread_.joinable()) lease_thread_.join();  // it uses the runners
  runners_.clear();
}

Status Relay::Start() {
  const std::string plugin(store_->name());
  if (config_.ordering == config::Ordering::kKey && !store_->Can(OUTBOX_CAN_ORDER_KEYS)) {
    return {OUTBOX_BAD_CONFIG,
            "plugin '" + plugin + "' cannot keep the order of keys: set \"ordering\": \"none\" in /relay"};
  }
  const std::string dead_letters = config_.AsksForDeadLetters();
  if (!dead_letters.empty() && !store_->Can(OUTBOX_CAN_DEAD_LETTER)) {
    return {OUTBOX_BAD_CONFIG, "plugin '" + plugin + "' keeps no dead letters: set " + dead_letters + " to \"block\""};
  }
  auto runner = MakeRunner(0);
  if (!runner.ok()) return runner.status();
  runners_[0] = std::move(*runner);
  lease_thread_ = std::thread([this] { KeepLeases(); });
  return {};
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
  return ShardRunner::Start(shard, shards_, {config_, config_.id, store_, database_, broker_, logger_, retired},
                            publishers_);
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

Counters Relay::counters() const {
  const std::lock_guard lock(mutex_);
  Counters sum = past_;
  for (const auto& [shard, runner] : runners_) sum += runner->counters();
  return sum;
}

// Half of the time for answers that are under way, the rest for confirming them and for giving the lease back.
bool Relay::Stop(config::Duration timeout) {
  const Time deadline = Now() + Micros(timeout);
  std::unique_lock lock(mutex_);
  if (!lease_thread_.joinable()) {
    left_ = true;
    changed_.notify_all();
    return true;
  }
  if (!stopping_) {
    stopping_ = true;
    retired_ = 0;
    stop_by_ = deadline;
    for (auto& [shard, runner] : runners_) {
      runner->Retire(Now() + Micros(timeout) / 2);
      runner->StopPreparing();
    }
    changed_.notify_all();
  }
  const auto left_by = [&](Time t) {
    return changed_.wait_for(lock, std::chrono::microseconds(std::max<Time>(0, t - Now())), [this] { return left_; });
  };
  if (left_by(deadline - Micros(timeout) / 4)) return retired_ == runners_.size();
  // Something hangs in a call.
  for (auto& [shard, runner] : runners_) runner->CancelCalls();
  connection_.Cancel();
  return left_by(deadline) && retired_ == runners_.size();
}

// ---- the lease thread ----

void Relay::KeepLeases() {
  const Time lease = Micros(config_.reserve_duration);
  std::uint32_t failures = 0;
  while (true) {
    Time wait = kForever;
    if (store_->HasLeases()) {
      if (auto next = Heartbeat(); next.ok()) {
        failures = 0;
        wait = *next;
      } else {
        if (next.status().code() == OUTBOX_BAD_CONFIG && !met_database_) Fail(next.status());
        wait = std::min<Time>(Micros(config_.poll_interval) << std::min(failures++, 4u), lease / 5);
      }
    } else if (owned_.empty()) {
      runners_[0]->LeaseHeld(0, kForever);
      owned_[0] = 0;
    }
    std::unique_lock lock(mutex_);
    const auto interrupted = [this] { return stopping_ && (retired_ == runners_.size() || Now() >= stop_by_); };
    if (wait >= kForever)
      changed_.wait(lock, [this] { return stopping_; });
    else
      changed_.wait_for(lock, std::chrono::microseconds(wait),
                        [&] { return stopping_ ? interrupted() : !to_return_.empty(); });
    if (!stopping_) continue;
    changed_.wait_for(lock, std::chrono::microseconds(std::min(lease / 5, std::max<Time>(0, stop_by_ - Now()))),
                      interrupted);
    if (!interrupted()) continue;  // renew once more while the last events are resolved
    const Time deadline = stop_by_;
    lock.unlock();
    GiveBack(deadline);
    lock.lock();
    left_ = true;
    changed_.notify_all();
    return;
  }
}

Result<Time> Relay::Heartbeat() {
  ReturnRetired();
  const Time asked = Now();
  auto held = connection_.Use(MakeCall(), [&](plugins::Session& session) {
    return session.Heartbeat(config_.id, config_.reserve_duration, MakeCall());
  });
  if (!held.ok()) return held.status();
  met_database_ = true;
  ApplyLease(*held, asked);
  // Who waits for a shard looks often. Who shares them notices within a second that another one is gone.
  const std::uint32_t share = (held->shards_total + held->live_relays - 1) / std::max(1U, held->live_relays);
  if (owned_.size() < share) return Micros(config_.poll_interval);
  const Time renew = Micros(config_.reserve_duration) / 5;
  return held->shards_total > 1 ? std::min(renew, kSecond / 2) : renew;
}

void Relay::ApplyLease(const Lease& lease, Time asked) {
  if (lease.shards_total != shards_) Resize(lease.shards_total);
  const Time until = asked + Micros(lease.left);
  std::map<std::uint32_t, std::uint64_t> now_owned;
  for (const outbox_owned_shard& s : lease.owned) now_owned[s.shard] = s.token;
  for (const auto& [shard, token] : owned_) {
    if (now_owned.contains(shard)) continue;
    logger_->warn("lease of shard {} lost", shard);
    handing_over_.erase(shard);
    if (const auto runner = runners_.find(shard); runner != runners_.end()) runner->second->LeaseLost();
  }
  for (const outbox_owned_shard& s : lease.owned) {
    if (s.state == OUTBOX_SHARD_GIVE_BACK) {
      if (handing_over_.insert(s.shard).second) logger_->info("handing shard {} over to another relay", s.shard);
      const auto runner = runners_.find(s.shard);
      if (runner != runners_.end()) {
        runner->second->HandOver(s.token, until);
      } else {
        const std::lock_guard lock(mutex_);
        to_return_[s.shard] = s.token;
      }
      continue;
    }
    if (!runners_.contains(s.shard)) {
      auto runner = MakeRunner(s.shard);
      if (!runner.ok()) {
        logger_->error("no publisher for shard {}: {}", s.shard, runner.status().text());
        now_owned.erase(s.shard);
        continue;
      }
      const std::lock_guard lock(mutex_);
      if (stopping_) continue;  // it would not be told to retire
      runners_[s.shard] = std::move(*runner);
    }
    if (!owned_.contains(s.shard))
      logger_->info("delivering shard {} of {} as {} (token {})", s.shard, lease.shards_total, config_.id, s.token);
    runners_[s.shard]->LeaseHeld(s.token, until);
  }
  if (now_owned.empty() && (!told_standby_ || !owned_.empty())) {
    logger_->info("standby: another relay holds the lease; taking over when it ends");
    told_standby_ = true;
  }
  owned_ = std::move(now_owned);
}

// Their number changes only while no relay runs, or after the lease of one that was out of reach has ended: nothing is
// sent under the old one any more.
void Relay::Resize(std::uint32_t shards) {
  std::map<std::uint32_t, std::unique_ptr<ShardRunner>> old;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    for (const auto& [shard, runner] : runners_) past_ += runner->counters();
    old.swap(runners_);
    to_return_.clear();
  }
  shards_ = shards;
  owned_.clear();
  handing_over_.clear();
}

void Relay::ReturnRetired() {
  std::map<std::uint32_t, std::uint64_t> retired;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    retired.swap(to_return_);
  }
  std::vector<outbox_owned_shard> shards;
  for (const auto& [shard, token] : retired)
    if (const auto held = owned_.find(shard); held != owned_.end() && held->second == token)
      shards.push_back({shard, OUTBOX_SHARD_GIVE_BACK, token});
  if (shards.empty()) return;
  const Status returned = connection_.Use(MakeCall(), [&](plugins::Session& session) {
    return session.ReturnShards(config_.id, shards, /*leave=*/false, MakeCall());
  });
  // Told again by the next heartbeat, and then done again.
  if (!returned.ok()) return;
  for (const outbox_owned_shard& s : shards) {
    owned_.erase(s.shard);
    handing_over_.erase(s.shard);
    std::unique_ptr<ShardRunner> gone;
    const std::lock_guard lock(mutex_);
    const auto runner = runners_.find(s.shard);
    if (stopping_ || runner == runners_.end()) continue;
    past_ += runner->second->counters();
    gone = std::move(runner->second);
    runners_.erase(runner);
  }
}

void Relay::GiveBack(Time deadline) {
  if (!store_->HasLeases() || !met_database_) return;
  bool all_retired = false;
  {
    const std::lock_guard lock(mutex_);
    all_retired = retired_ == runners_.size();
  }
  // A shard with something unresolved is left to its lease: nobody may begin before that ends.
  std::vector<outbox_owned_shard> shards;
  if (all_retired) {
    for (const auto& [shard, token] : owned_) shards.push_back({shard, OUTBOX_SHARD_OWNED, token});
  }
  Call call = MakeCall();
  call.timeout = std::chrono::duration_cast<Millis>(
      std::chrono::microseconds(std::max<Time>(100 * kMillisecond, deadline - Now())));
  const Status left = connection_.Use(
      call, [&](plugins::Session& session) { return session.ReturnShards(config_.id, shards, all_retired, call); });
  if (!left.ok())
    logger_->warn("the lease could not be given back ({}): a standby takes over when it ends", left.text());
}

}  // namespace outbox::engine
