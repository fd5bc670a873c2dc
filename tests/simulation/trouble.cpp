#include "tests/simulation/trouble.hpp"

namespace outbox::simulation {
namespace {
constexpr Time kTick = 100 * kMillisecond;
constexpr Time kShortestStop = kSecond, kLongestStop = 6 * kSecond;
constexpr std::uint64_t kMostShards = 5;
// The longest pause or outage of the database that is certainly too short for a lease to expire.
constexpr Time kNotNoticed = kLease / 4;
}  // namespace

void Trouble::Start() {
  for (int i = 0; i < parts_.scenario.relays; ++i) StartRelay(random_.Between(0, kSecond));
  Tick();
}

void Trouble::StartRelay(Time in) {
  parts_.world.After(in, [this] {
    auto relay =
        std::make_shared<RelayProcess>(parts_, next_id_++, [this] { StartRelay(random_.Between(0, 2 * kLease)); });
    parts_.history.Say("relay {} starts", relay->id());
    relays_.push_back(relay);
    relay->Start();
  });
}

void Trouble::Tick() {
  if (parts_.chances.calm()) return;
  for (std::size_t i = 0; i < relays_.size(); ++i)
    if (!relays_[i]->dead() && !relays_[i]->stopping()) OfRelay(relays_[i]);
  OfPeers();
  Operate();
  parts_.world.After(kTick, [this] { Tick(); });
}

void Trouble::OfRelay(const std::shared_ptr<RelayProcess>& relay) {
  const Scenario& s = parts_.scenario;
  Chances& chances = parts_.chances;
  if (chances.Happens(Chance::kNap, s.nap)) relay->Pause(random_.Between(kMillisecond, kNotNoticed));
  if (chances.Happens(Chance::kPause, s.pause)) {
    const Time how_long = random_.Between(kNotNoticed, 2 * kLease);
    parts_.history.Say("relay {} is paused for {} ms", relay->id(), how_long / kMillisecond);
    parts_.ledger.Fault(Ledger::kAllShards, how_long + kLease);
    relay->Pause(how_long);
  }
  if (chances.Happens(Chance::kWallClock, s.wall_clock)) relay->SetWallClock(random_.Between(-3 * kLease, 3 * kLease));
  if (chances.Happens(Chance::kStop, s.stop)) {
    relay->Stop(random_.Between(kShortestStop, kLongestStop));
    StartRelay(random_.Between(0, kLease));
  }
  if (relay->stopping()) return;
  if (chances.Happens(Chance::kCrash, s.crash)) {
    relay->Crash();
    StartRelay(random_.Between(0, 2 * kLease));
  }
}

void Trouble::OfPeers() {
  const Scenario& s = parts_.scenario;
  World& world = parts_.world;
  Chances& chances = parts_.chances;
  if (chances.Happens(Chance::kJoin, s.join)) {
    StartRelay(0);
    world.After(random_.Between(kLease / 2, 2 * kLease), [this, which = relays_.size()] {
      if (which < relays_.size() && !relays_[which]->dead() && !relays_[which]->stopping())
        relays_[which]->Stop(kLongestStop);
    });
  }
  if (chances.Happens(Chance::kReshard, s.reshard)) Reshard();
  if (chances.Happens(Chance::kVanish, s.vanish)) {
    parts_.history.Say("database forgets who owns the shards");
    parts_.store.leases.Vanish();
    parts_.ledger.Fault(Ledger::kAllShards, kLease);
    parts_.ledger.LeasesUnsure(world.now() + kLease);
  }
  if (chances.Happens(Chance::kMorePartitions, s.more_partitions)) {
    parts_.broker.lanes += static_cast<std::uint32_t>(1 + random_.Below(3));
    parts_.history.Say("topics have {} partitions", parts_.broker.lanes);
    parts_.ledger.MorePartitions(parts_.broker.lanes);
  }
  if (chances.Happens(Chance::kDatabaseOutage, s.database_outage)) {
    const Time how_long = random_.Between(kMillisecond, 2 * kLease);
    parts_.history.Say("database is out of reach for {} ms", how_long / kMillisecond);
    parts_.store.DownUntil(world.now() + how_long);
    if (how_long > kNotNoticed) parts_.ledger.Fault(Ledger::kAllShards, how_long + kLease);
  }
  if (chances.Happens(Chance::kBrokerOutage, s.broker_outage)) {
    const Time how_long = random_.Between(kMillisecond, 2 * kLease);
    parts_.history.Say("broker is out of reach for {} ms", how_long / kMillisecond);
    parts_.broker.DownUntil(world.now() + how_long);
    parts_.ledger.Fault(Ledger::kAllShards, how_long + kLease);
  }
  if (chances.Happens(Chance::kDatabaseClock, s.database_clock)) {
    const Time by = random_.Between(-2 * kLease, 2 * kLease);
    parts_.history.Say("the database's clock jumps by {} ms", by / kMillisecond);
    parts_.store.MoveClock(by);
    parts_.ledger.Fault(Ledger::kAllShards, kLease);
    if (by > 0)
      parts_.ledger.LeasesUnsure(world.now() + kLease);
    else
      parts_.ledger.LeasesLast(-by);
  }
}

// Simulates an operator who stops the relays to change the number of shards. A relay may be unreachable: the operator
// then has to wait until its lease expires, and the number of shards has changed when the relay comes back.
void Trouble::Reshard() {
  int stopped = 0;
  for (const auto& relay : relays_) {
    if (relay->dead() || relay->stopping()) continue;
    if (parts_.scenario.pause > 0 && random_.Below(3) == 0) {
      const Time how_long = random_.Between(kLease, 3 * kLease);
      parts_.history.Say("relay {} is out of reach for {} ms", relay->id(), how_long / kMillisecond);
      parts_.ledger.Fault(Ledger::kAllShards, how_long + kLease);
      relay->Pause(how_long);
    } else {
      relay->Stop(kLongestStop);
      ++stopped;
    }
  }
  const auto shards = static_cast<std::uint32_t>(1 + random_.Below(kMostShards));
  TryReshard(shards, stopped, parts_.world.now() + 3 * kLease);
}

void Trouble::TryReshard(std::uint32_t shards, int relays, Time until) {
  if (!parts_.store.Reshard(shards) && parts_.world.now() < until)
    return parts_.world.After(kTick, [this, shards, relays, until] { TryReshard(shards, relays, until); });
  for (int i = 0; i < relays; ++i) StartRelay(random_.Between(0, kSecond));
}

void Trouble::Operate() {
  const Scenario& s = parts_.scenario;
  Chances& chances = parts_.chances;
  if (s.unblock > 0) {
    for (const EventNumber e : parts_.store.Blocked()) {
      if (chances.Happens(Chance::kFix, s.fix)) Fix(e);
      if (chances.Happens(Chance::kUnblock, s.unblock)) parts_.store.Unblock(e);
    }
  }
  if (s.let_go > 0) {
    for (EventNumber e = 0; e < parts_.ledger.fates().size(); ++e)
      if (parts_.ledger.Of(e).stays != Stays::kNot && chances.Happens(Chance::kLetGo, s.let_go)) LetGo(e);
  }
  if (s.requeue > 0) {
    for (const EventNumber e : parts_.store.Dead()) {
      if (chances.Happens(Chance::kFix, s.fix)) Fix(e);
      if (chances.Happens(Chance::kRequeue, s.requeue)) parts_.store.Requeue(e);
    }
  }
}

void Trouble::LetGo(EventNumber e) {
  if (parts_.ledger.Of(e).stays == Stays::kNot) return;
  parts_.history.Say("operator removes what keeps {}", parts_.ledger.Name(e));
  parts_.ledger.Of(e).stays = Stays::kNot;
}

void Trouble::Fix(EventNumber e) {
  if (parts_.ledger.Of(e).poison == Poison::kNone) return;
  parts_.history.Say("operator fixes {}", parts_.ledger.Name(e));
  parts_.ledger.Of(e).poison = Poison::kNone;
  parts_.ledger.Of(e).fixed = true;
}

void Trouble::End() {
  parts_.chances.Calm();
  // If the scenario has an operator, no event stays blocked or dead at the end.
  const Scenario& s = parts_.scenario;
  if (s.let_go > 0) {
    for (EventNumber e = 0; e < parts_.ledger.fates().size(); ++e) LetGo(e);
  }
  if (s.fix <= 0) return;
  for (EventNumber e = 0; e < parts_.ledger.fates().size(); ++e) Fix(e);
  if (s.unblock > 0) {
    for (const EventNumber e : parts_.store.Blocked()) parts_.store.Unblock(e);
  }
  parts_.ledger.LetGo(parts_.store.Movable().size());
  if (s.requeue > 0) {
    for (const EventNumber e : parts_.store.Dead()) parts_.store.Requeue(e);
  }
}

}  // namespace outbox::simulation
