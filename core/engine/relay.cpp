#include "engine/relay.hpp"

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

Time Micros(config::Duration d) { return std::chrono::microseconds(d).count(); }

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
  if (config_.on_exhausted == config::OnExhausted::kDeadLetter && !store_->Can(OUTBOX_CAN_DEAD_LETTER)) {
    return {OUTBOX_BAD_CONFIG,
            "plugin '" + plugin + "' keeps no dead letters: set \"on_exhausted\": \"block\" in /relay"};
  }
  auto runner = ShardRunner::Start(0,
                                   {config_, config_.id, store_, database_, broker_, logger_,
                                    [this](std::uint32_t) {
                                      const std::lock_guard lock(mutex_);
                                      ++retired_;
                                      changed_.notify_all();
                                    }},
                                   publishers_);
  if (!runner.ok()) return runner.status();
  runners_[0] = std::move(*runner);
  lease_thread_ = std::thread([this] { KeepLeases(); });
  return {};
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
  Counters sum;
  for (const auto& [shard, runner] : runners_) {
    const Counters c = runner->counters();
    sum.reserved += c.reserved;
    sum.published += c.published;
    sum.stored += c.stored;
    sum.confirmed += c.confirmed;
    sum.failed += c.failed;
    sum.dead += c.dead;
    sum.blocked += c.blocked;
    sum.resets += c.resets;
    sum.sweeps += c.sweeps;
    sum.sent_again += c.sent_again;
  }
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
    Time wait = Micros(config_.poll_interval);
    if (!store_->HasLeases()) {
      if (owned_.empty()) runners_[0]->LeaseHeld(0, kForever);
      owned_[0] = 0;
      wait = kForever;
    } else {
      const Time asked = Now();
      auto held = connection_.Use(MakeCall(), [&](plugins::Session& session) {
        return session.Heartbeat(config_.id, config_.reserve_duration, MakeCall());
      });
      if (held.ok() && held->shards_total > 1) {
        return Fail({OUTBOX_BAD_CONFIG, fmt::format("the outbox has {} shards and this version works on one; run: "
                                                    "outbox-relay migrate --shards 1",
                                                    held->shards_total)});
      }
      if (held.ok()) {
        failures = 0;
        met_database_ = true;
        ApplyLease(*held, asked);
        if (!owned_.empty()) wait = lease / 5;
      } else {
        if (held.status().code() == OUTBOX_BAD_CONFIG && !met_database_) Fail(held.status());
        wait = std::min<Time>(Micros(config_.poll_interval) << std::min(failures++, 4u), lease / 5);
      }
    }
    std::unique_lock lock(mutex_);
    const auto interrupted = [this] { return stopping_ && (retired_ == runners_.size() || Now() >= stop_by_); };
    if (wait >= kForever)
      changed_.wait(lock, [this] { return stopping_; });
    else
      changed_.wait_for(lock, std::chrono::microseconds(wait), [&] { return interrupted(); });
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

void Relay::ApplyLease(const Lease& lease, Time asked) {
  const Time until = asked + Micros(lease.left);
  std::map<std::uint32_t, std::uint64_t> now_owned;
  for (const outbox_owned_shard& s : lease.owned) now_owned[s.shard] = s.token;
  for (const auto& [shard, token] : owned_) {
    if (now_owned.contains(shard)) continue;
    logger_->warn("lease of shard {} lost", shard);
    runners_[shard]->LeaseLost();
  }
  for (const auto& [shard, token] : now_owned) {
    if (!runners_.contains(shard)) continue;
    if (!owned_.contains(shard))
      logger_->info("delivering shard {} of {} as {} (token {})", shard, lease.shards_total, config_.id, token);
    runners_[shard]->LeaseHeld(token, until);
  }
  if (now_owned.empty() && (!told_standby_ || !owned_.empty())) {
    logger_->info("standby: another relay holds the lease; taking over when it ends");
    told_standby_ = true;
  }
  owned_ = std::move(now_owned);
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
