#include "tests/simulation/relay_process.hpp"

#include <utility>

namespace outbox::simulation {
namespace {

constexpr Time kPatience = 5 * kSecond;  // with a broker that owes an answer, as monitoring::kPatience

}  // namespace

RelayProcess::RelayProcess(Parts parts, RelayId id, std::function<void()> crashed)
    : parts_(parts), process_(parts, id), assignment_(kLease, kPoll) {
  assignment_.Begin(parts.scenario.shards);
  process_.crash = [this, crashed = std::move(crashed)] {
    Crash();
    crashed();
  };
}

void RelayProcess::Crash() {
  process_.dead = true;
  parts_.history.Say("relay {} crashes", process_.id);
  parts_.ledger.Fault(Ledger::kAllShards);
  for (const auto& [shard, it] : shards_) it->Die();
}

std::uint64_t RelayProcess::resets() const {
  std::uint64_t sum = 0;
  for (const auto& [shard, it] : shards_) sum += it->engine().counters().resets;
  for (const auto& it : gone_) sum += it->engine().counters().resets;
  return sum;
}

bool RelayProcess::Ready() const {
  const Time now = parts_.world.now();
  if (process_.dead || stopping_ || process_.Awake() > now || !process_.database_answers) return false;
  if (parts_.store.down() || parts_.broker.down_until > now) return false;
  bool works = false;
  for (const auto& [shard, it] : shards_) {
    const engine::Engine& engine = it->engine();
    if (!engine.IsOwner()) continue;
    works = true;
    if (engine.CannotRecord() || engine.FailuresUnrecorded() || engine.RemovesNothingSince() < kForever ||
        engine.OwedSince() < process_.Local() - kPatience)
      return false;
  }
  return works;
}

// Of the mutant, the clock of whoever asks.
Time RelayProcess::DatabaseClock() const {
  return parts_.scenario.mutant == Mutant::kLocalWallClock ? parts_.world.now() + process_.wall_ahead
                                                           : parts_.store.clock();
}

void RelayProcess::NextBeat(Time wait) {
  beating_ = false;
  if (stopping_) GiveBackIfDone();
  if (leaving_) return;
  if (!stopping_ && !to_return_.empty()) wait = 0;
  if (stopping_) wait = std::min(wait, kLease / 5);
  parts_.world.After(wait, [this, mine = ++beat_] {
    process_.Do([this, mine] {
      if (mine == beat_) Beat();
    });
  });
}

void RelayProcess::BeatNow() {
  if (!beating_ && !leaving_) NextBeat(0);
}

void RelayProcess::Beat() {
  if (leaving_) return;
  beating_ = true;
  ReturnWoundUp();
}

void RelayProcess::ReturnWoundUp() {
  std::vector<outbox_owned_shard> shards;
  if (!stopping_) shards = assignment_.StillHeld(std::exchange(to_return_, {}));
  if (shards.empty()) return Look(process_.Local());
  process_.Call(
      Process::Kind::kWrite,
      [this, shards] {
        parts_.store.leases.Return(process_.id, shards, false);
        return OUTBOX_OK;
      },
      [this, shards](outbox_code code) {
        // Otherwise told again by the next heartbeat, and then done again.
        if (code == OUTBOX_OK) {
          assignment_.Returned(shards);
          for (const outbox_owned_shard& s : shards) {
            parts_.history.Say("relay {} has given shard {} back", process_.id, s.shard);
            if (const auto it = shards_.find(s.shard); !stopping_ && it != shards_.end())
              gone_.push_back(std::move(shards_.extract(it).mapped()));
          }
        }
        Look(process_.Local());
      });
}

void RelayProcess::Look(Time asked) {
  const auto failed = [this] {
    parts_.history.Say("a heartbeat of relay {} fails", process_.id);
    NextBeat(assignment_.NextTry());
  };
  struct State {
    ModelLeases::Look look;
    ModelLeases::Next next;
  };
  const auto state = std::make_shared<State>();
  process_.Call(
      Process::Kind::kRead,
      [this, state] {
        state->look = parts_.store.leases.LookAround(process_.id, DatabaseClock());
        state->next = ModelLeases::After(state->look, kLease);
        return OUTBOX_OK;
      },
      [this, state, asked, failed](outbox_code code) {
        if (code != OUTBOX_OK) return failed();
        if (state->next == ModelLeases::Next::kAnswer) return Answered(state->look.lease, asked);
        process_.Call(
            Process::Kind::kWrite,
            [this, state] {
              ModelLeases& leases = parts_.store.leases;
              if (leases.AnyEnded(DatabaseClock())) parts_.ledger.LeaseEnds(Ledger::kAllShards);
              if (state->next == ModelLeases::Next::kRenew && leases.Renew(process_.id, kLease, DatabaseClock()))
                state->look.lease.left = Millis(kLease / kMillisecond);
              else
                state->look.lease = leases.Turn(process_.id, kLease, DatabaseClock());
              return OUTBOX_OK;
            },
            [this, state, asked, failed](outbox_code turned) {
              turned == OUTBOX_OK ? Answered(state->look.lease, asked) : failed();
            });
      });
}

void RelayProcess::Answered(const Lease& lease, Time asked) {
  process_.told_until = process_.WorldAt(asked) + lease.left.count() * kMillisecond;
  FollowAll(assignment_.Answered(lease, asked));
}

void RelayProcess::FollowAll(std::vector<engine::LeaseAction> orders) {
  for (auto order = orders.begin(); order != orders.end(); ++order) {
    if (order->what != engine::LeaseAction::What::kWork || !order->news) {
      Apply(*order, false);
      continue;
    }
    const auto lost = std::make_shared<bool>(true);  // in doubt
    return process_.Call(
        Process::Kind::kRead,
        [this, lost, shard = order->shard, token = order->token] {
          if (!parts_.store.leases.Holds(shard, token)) return OUTBOX_LEASE_LOST;
          *lost = parts_.store.leases.WasLost(shard);
          return OUTBOX_OK;
        },
        [this, lost, first = *order, rest = std::vector(order + 1, orders.end())](outbox_code code) {
          Apply(first, code != OUTBOX_OK || *lost);
          FollowAll(rest);
        });
  }
  NextBeat(assignment_.NextBeat());
}

void RelayProcess::Apply(const engine::LeaseAction& order, bool slow_start) {
  if (slow_start && parts_.scenario.mutant != Mutant::kFirstStepsTogether) {
    if (first_step_ && first_step_ != order.shard) return assignment_.NotBegun(order.shard);
    first_step_ = order.shard;
  }
  constexpr const char* kNews[] = {"takes", "hands over", "has lost"};
  if (order.news)
    parts_.history.Say("relay {} {} shard {} (token {})", process_.id, kNews[static_cast<int>(order.what)], order.shard,
                       order.token);
  auto it = shards_.find(order.shard);
  switch (order.what) {
    case engine::LeaseAction::What::kLost:
      if (it != shards_.end()) it->second->Lost();
      return;
    case engine::LeaseAction::What::kHandOver:
      if (it != shards_.end())
        it->second->HandOver(order.token, order.until);
      else
        to_return_[order.shard] = order.token;
      return;
    case engine::LeaseAction::What::kWork:
      break;
  }
  if (it == shards_.end()) {
    if (stopping_) return;
    Position start;
    if (parts_.scenario.mutant == Mutant::kSharedCursor) {
      for (const auto& [shard, other] : shards_)
        if (other->position().cursor > start.cursor) start = other->position();
    }
    const auto wound_up = [this](std::uint32_t shard, std::uint64_t token, bool for_good) {
      if (for_good)
        ++wound_up_for_good_;
      else
        to_return_[shard] = token;
      for_good ? GiveBackIfDone() : BeatNow();
    };
    const auto first_step_over = [this](std::uint32_t shard) {
      if (first_step_ == shard) first_step_.reset();
      BeatNow();
    };
    it = shards_
             .emplace(order.shard,
                      std::make_unique<ShardProcess>(process_, order.shard, start, wound_up, first_step_over))
             .first;
  }
  it->second->Held(order.token, order.until, slow_start);
}

void RelayProcess::Stop(Time timeout) {
  stopping_ = true;
  parts_.history.Say("relay {} is to stop", process_.id);
  stop_by_ = parts_.world.now() + timeout;
  for (const auto& [shard, it] : shards_) it->Stop(process_.Local() + timeout / 2);
  GiveBackIfDone();
  parts_.world.At(stop_by_, [this] { process_.Do([this] { GiveBackIfDone(); }); });
}

void RelayProcess::GiveBackIfDone() {
  const bool all = wound_up_for_good_ == shards_.size();
  if (leaving_ || beating_ || (!all && parts_.world.now() < stop_by_)) return;
  leaving_ = true;
  std::vector<outbox_owned_shard> shards;
  if (all) {
    for (const auto& [shard, token] : assignment_.owned()) shards.push_back({shard, OUTBOX_SHARD_OWNED, token});
  } else {
    parts_.ledger.Fault(Ledger::kAllShards);
  }
  process_.Call(
      Process::Kind::kWrite,
      [this, shards, all] {
        parts_.store.leases.Return(process_.id, shards, all);
        return OUTBOX_OK;
      },
      [this](outbox_code) { End(); });
}

void RelayProcess::End() {
  process_.dead = true;
  parts_.history.Say("relay {} has stopped", process_.id);
  for (const auto& [shard, it] : shards_) it->Die();
}

}  // namespace outbox::simulation
