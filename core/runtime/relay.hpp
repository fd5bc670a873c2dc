// The relay: joins the others at the outbox, and works on the shards that it holds.
//
//   Relay relay(config, store, publishers, logger);
//   if (Status s = relay.Start(); !s.ok()) ...
//   relay.Wait();            // until Stop, or until it cannot go on
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "config/config.hpp"
#include "engine/shard_assignment.hpp"
#include "runtime/hint_listener.hpp"
#include "runtime/observation.hpp"
#include "runtime/relay_id.hpp"
#include "runtime/shard_runner.hpp"
#include "runtime/waker.hpp"

namespace outbox::runtime {

class Relay {
 public:
  Relay(config::Relay config, std::shared_ptr<storage::Store> store, publisher::PublisherFactory publishers,
        std::shared_ptr<spdlog::logger> logger);
  // Stops at once if Stop was not called: what is in flight may be sent again by the next relay.
  ~Relay();

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
  Result<engine::Time> Heartbeat();  // when to ask again
  void Apply(const engine::LeaseAction& order);
  // Its last owner let the lease end, so that an event of it may have been the reason. In doubt yes.
  [[nodiscard]] bool WasLost(const engine::LeaseAction& order);
  void Resize(std::uint32_t shards);
  [[nodiscard]] Result<std::unique_ptr<ShardRunner>> MakeRunner(std::uint32_t shard);
  // Of those that other relays are to have, the ones of which nothing is in hand any more.
  void ReturnRetired();
  void GiveBack(engine::Time deadline);
  void Fail(Status status);
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
  engine::Time stop_by_ = engine::kForever;
  Status failure_;
  bool failed_ = false;
  std::uint32_t retired_ = 0;                         // shards wound up since stopping began
  std::map<std::uint32_t, std::uint64_t> to_return_;  // wound up for another relay: shard -> token
  // Shard 0 exists from the start, warm; the others while they are held. Changed by the lease thread only.
  std::map<std::uint32_t, std::unique_ptr<ShardRunner>> runners_;
  std::optional<std::uint32_t> first_step_;  // the shard that is in its first step of a slow start: one at a time
  bool first_step_over_ = false;
  Tally past_;  // of runners that are gone

  Connection connection_;

  // Of the lease thread.
  engine::ShardAssignment assignment_;  // the runners divide the window by its number of shards
  bool met_database_ = false;
  bool told_standby_ = false;
  std::thread lease_thread_;
  // If asked for.
  std::unique_ptr<Waker> waker_;
  std::unique_ptr<HintListener> hints_;
};

}  // namespace outbox::runtime
