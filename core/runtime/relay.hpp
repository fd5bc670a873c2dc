// The relay. It joins the other relays of the outbox and delivers the shards that it holds.
//
//   Relay relay(config, store, publishers, logger);
//   if (Status s = relay.Start(); !s.ok()) ...
//   relay.Wait();            // until Stop, or until the relay cannot continue
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
  // Stops at once if Stop was not called. The next relay may then send the events in flight again.
  ~Relay();

  // Makes the relay check every `interval` from Start() on that the source of the rows, such as the trigger of a
  // capture, is in place. REQUIRES: Start() was not called.
  void WatchSource(config::Duration interval = std::chrono::minutes(1)) { source_interval_ = interval; }
  // Makes the publisher and begins to deliver. Neither the database nor the broker has to be available. Errors:
  // OUTBOX_BAD_CONFIG if a property of the publisher is wrong, or if the plugin lacks an ability that the configuration
  // requires.
  [[nodiscard]] Status Start();
  // Blocks until the relay has stopped and returns OK. Errors: OUTBOX_BAD_CONFIG if a heartbeat returns this code
  // before any heartbeat has succeeded: the database or the configuration is wrong, and waiting does not help.
  [[nodiscard]] Status Wait();
  // Waits for the answers to events in flight, confirms these events, and releases the leases. Returns false if this
  // takes longer than `timeout`, or if an event is left unresolved. The next relay then sends again the events that are
  // not confirmed. Thread: any.
  bool Stop(config::Duration timeout);

  [[nodiscard]] const std::string& id() const { return config_.id; }
  [[nodiscard]] const std::string& incarnation() const { return incarnation_; }
  [[nodiscard]] engine::Counters counters() const;
  // Returns the current state. It may be called before Start(), and waits for no peer. Thread: any.
  [[nodiscard]] Observation Observe() const;
  // Give other code that calls the same database access to the health of the database and to the watchdog.
  [[nodiscard]] const std::shared_ptr<PeerHealth>& database() const { return database_; }
  [[nodiscard]] const std::shared_ptr<Watchdog>& watchdog() const { return watchdog_; }

 private:
  void KeepLeases();
  void Wake();
  // Passes an input to the coordinator, and carries out the commands that take no time. The lease thread carries out
  // the other commands. REQUIRES: the caller holds mutex_.
  template <class F>
  void Decide(F input);
  // Locks mutex_ and calls Decide. Thread: lease. REQUIRES: the caller does not hold mutex_.
  template <class F>
  void Answer(F input);

  // Carry out the commands that take no time. Thread: any. REQUIRES: the caller holds mutex_.
  void Do(const engine::shards::Hold& hold);
  void Do(const engine::shards::Release& release);
  // Carry out the commands that may take time, and pass the answers to the coordinator. Thread: lease. REQUIRES: the
  // caller does not hold mutex_.
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
  // Returns the parameters of a call. Its timeout is shorter than the lease, so that after a call that hangs there is
  // time for another call.
  [[nodiscard]] Call MakeCall() const {
    return {0, 0, std::min<Millis>(config_.storage_timeout, config_.reserve_duration / 3)};
  }

  config::Relay config_;
  const std::string incarnation_ = NewIncarnation();
  std::string lease_id_;  // the id of this relay in the storage
  const std::shared_ptr<storage::Store> store_;
  const publisher::PublisherFactory publishers_;
  const std::shared_ptr<spdlog::logger> logger_;
  const std::shared_ptr<PeerHealth> database_, broker_;
  const std::shared_ptr<Watchdog> watchdog_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool left_ = false;      // true if the relay has left the outbox
  bool complete_ = false;  // true if no event was left unresolved when the relay left the outbox
  Status failure_;
  bool failed_ = false;
  engine::ShardCoordinator coordinator_;
  std::deque<engine::shards::Command> to_do_;  // commands for the lease thread
  // The runner of shard 0 exists from the start, so that it is ready when the shard is leased. The other runners exist
  // while their shards are held. After Start() only the lease thread changes the map.
  std::map<std::uint32_t, std::unique_ptr<ShardRunner>> runners_;
  Tally past_;  // sum over the removed runners

  // connection_ and last_status_ are used only by the lease thread.
  Connection connection_;
  Status last_status_;  // the result of the last heartbeat or ReleaseShards
  std::thread lease_thread_;
  // source_interval_ and the three objects below are absent unless they are configured.
  std::optional<config::Duration> source_interval_;
  std::unique_ptr<SourceWatch> source_;
  std::unique_ptr<Waker> waker_;
  std::unique_ptr<HintListener> hints_;
};

}  // namespace outbox::runtime
