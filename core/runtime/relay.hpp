// The relay: joins the others at the outbox, and works on the shards that it holds.
//
//   Relay relay(config, store, publishers, logger);
//   if (Status s = relay.Start(); !s.ok()) ...
//   relay.Wait();            // until Stop, or until it cannot go on
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "config/config.hpp"
#include "engine/shard_coordinator.hpp"
#include "runtime/hint_listener.hpp"
#include "runtime/observation.hpp"
#include "runtime/relay_id.hpp"
#include "runtime/shard_runner.hpp"
#include "runtime/source_watch.hpp"
#include "runtime/waker.hpp"

namespace outbox::runtime {

class Relay {
 public:
  Relay(config::Relay config, std::shared_ptr<storage::Store> store, publisher::PublisherFactory publishers,
        std::shared_ptr<spdlog::logger> logger);
  // Stops at once if Stop was not called: what is in flight may be sent again by the next relay.
  ~Relay();

  // From Start() on look every `interval` whether what brings the rows is in place. REQUIRES: Start() was not called.
  void WatchSource(config::Duration interval = std::chrono::minutes(1)) { source_interval_ = interval; }
  // Makes the publisher and begins; needs neither database nor broker to be up. OUTBOX_BAD_CONFIG: a publisher
  // property is wrong, or the plugin cannot keep what the config asks for.
  [[nodiscard]] Status Start();
  // Blocks until Stop (OK), or until it cannot go on: OUTBOX_BAD_CONFIG from the first database contact.
  [[nodiscard]] Status Wait();
  // Any thread. Finishes what is in flight, confirms it, gives the leases back. False: `timeout` came first, and what
  // is not confirmed will be sent again.
  bool Stop(config::Duration timeout);

  [[nodiscard]] const std::string& id() const { return config_.id; }
  [[nodiscard]] const std::string& incarnation() const { return incarnation_; }
  [[nodiscard]] engine::Counters counters() const;
  // Any thread, from the beginning on; waits for no peer.
  [[nodiscard]] Observation Observe() const;
  // For those who work for the same outbox beside the relay.
  [[nodiscard]] const std::shared_ptr<PeerHealth>& database() const { return database_; }
  [[nodiscard]] const std::shared_ptr<Watchdog>& watchdog() const { return watchdog_; }

 private:
  void KeepLeases();
  void Wake();
  // Hands the coordinator an input and carries out what can be done at once; the rest is for the lease thread. REQUIRES: the
  // caller holds mutex_.
  template <class F>
  void Decide(F input);
  template <class F>
  void Answer(F input);  // the same for the lease thread, which does not hold it

  // Carry out what can be done at once. Thread: any. REQUIRES: the caller holds mutex_.
  void Do(const engine::shards::Hold& hold);
  void Do(const engine::shards::Release& release);
  // Carry out the rest, and report the answers. Thread: lease. REQUIRES: it does not hold mutex_.
  void Do(const engine::shards::Heartbeat& heartbeat);
  void Do(const engine::shards::AskWasLost& ask);
  void Do(const engine::shards::MakeRunner& make);
  void Do(const engine::shards::ReleaseShards& release);
  void Do(const engine::shards::RemoveRunner& remove);
  void Do(const engine::shards::RemoveAllRunners& remove);
  void Do(const engine::shards::CannotStart& cannot);
  void Do(const engine::shards::Left& left);
  void Do(const engine::shards::Delivering& delivering);
  void Do(const engine::shards::HandingOver& handing_over);
  void Do(const engine::shards::LeaseLost& lost);
  void Do(const engine::shards::Standby& standby);
  void Do(const engine::shards::NamesakeRuns& namesake);
  void Do(const engine::shards::LeftToLease& left);

  [[nodiscard]] Result<std::unique_ptr<ShardRunner>> NewRunner(std::uint32_t shard, std::uint32_t shards_total);
  // Shorter than the lease, so that a call that hangs leaves time for another.
  [[nodiscard]] Call MakeCall() const {
    return {0, 0, std::min<Millis>(config_.storage_timeout, config_.reserve_duration / 3)};
  }

  config::Relay config_;
  const std::string incarnation_ = NewIncarnation();
  std::string lease_id_;  // as the storage knows this relay
  const std::shared_ptr<storage::Store> store_;
  const publisher::PublisherFactory publishers_;
  const std::shared_ptr<spdlog::logger> logger_;
  const std::shared_ptr<PeerHealth> database_, broker_;
  const std::shared_ptr<Watchdog> watchdog_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false, left_ = false;
  bool complete_ = false;  // nothing was left unresolved
  Status failure_;
  bool failed_ = false;
  engine::ShardCoordinator coordinator_;
  std::deque<engine::shards::Command> to_do_;  // by the lease thread
  // Shard 0 exists from the start, warm; the others while they are held. Changed by the lease thread only.
  std::map<std::uint32_t, std::unique_ptr<ShardRunner>> runners_;
  Tally past_;  // of runners that are gone

  // Of the lease thread.
  Connection connection_;
  Status last_status_;  // of its last call
  std::thread lease_thread_;
  // If asked for.
  std::optional<config::Duration> source_interval_;
  std::unique_ptr<SourceWatch> source_;
  std::unique_ptr<Waker> waker_;
  std::unique_ptr<HintListener> hints_;
};

}  // namespace outbox::runtime
