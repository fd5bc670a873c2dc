// Tests of the extension outbox.stats/1.
#include "rig.hpp"

namespace outbox::contract {
namespace {

constexpr Millis kTimeout{10'000};

Statistics Read(Rig& rig) {
  auto stats = rig.session().ReadStats(Within(kTimeout));
  if (stats.status().code() == OUTBOX_UNSUPPORTED) throw Skipped(stats.status().text());
  return Ok(std::move(stats));
}

void CountsWhatIsThere(const Subject& subject) {
  Rig rig(subject);
  Statistics stats = Read(rig);
  Expect(stats.backlog == 0 && stats.oldest_age == Millis(-1), "an empty outbox has backlog {} and oldest age {} ms",
         stats.backlog, stats.oldest_age.count());
  rig.Emit(5, std::nullopt);
  Relay relay(rig);
  const auto rows = relay.Await(5);
  relay.Confirm({rows[0]});
  relay.Fail({rows[1]}, OUTBOX_RETRY);
  relay.Fail({rows[2]}, OUTBOX_BLOCK);
  const bool dead_letters = rig.store().Can(OUTBOX_CAN_DEAD_LETTER);
  if (dead_letters) relay.Fail({rows[3]}, OUTBOX_DEAD);
  const std::uint64_t left = dead_letters ? 3 : 4;
  stats = Read(rig);
  Expect(stats.backlog_precision != Precision::kExact || stats.backlog == left, "backlog is {}, expected: {}",
         stats.backlog, left);
  Expect(stats.retrying == 1 && stats.blocked == 1 && stats.dead == (dead_letters ? 1 : 0),
         "retrying {}, blocked {}, dead {}, expected: one of each", stats.retrying, stats.blocked, stats.dead);
  Expect(stats.oldest_age >= Millis(0) && stats.oldest_age < Millis(300'000), "oldest age is {} ms",
         stats.oldest_age.count());
}

void NamesTheHolder(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  Statistics stats = Read(rig);
  Expect(stats.shards_total == 1 && stats.shards_owned == 0 && stats.live_relays == 0,
         "{} shards, {} owned, {} relays, expected: 1, 0, 0", stats.shards_total, stats.shards_owned,
         stats.live_relays);
  Relay owner(rig, "relay-a");
  Relay standby(rig, "relay-b", Relay::Standby{});
  standby.Heartbeat();
  stats = Read(rig);
  // A plugin may or may not count a standby: a standby cannot take a shard, so the plugin need not record it.
  Expect(stats.shards_owned == 1 && stats.live_relays >= 1, "{} shards owned, {} relays, expected: 1, 1 or 2",
         stats.shards_owned, stats.live_relays);
  Expect(stats.holders.size() == 1, "{} holders were named, expected: 1", stats.holders.size());
  const ShardHolder& holder = stats.holders[0];
  Expect(holder.relay_id == "relay-a", "the holder is {}, expected: relay-a", holder.relay_id.value_or("nobody"));
  Expect(holder.token == owner.token(), "its token is {}, expected: {}", holder.token, owner.token());
  Expect(holder.expires_in > Millis(0) && holder.expires_in <= Millis(30'000), "it expires in {} ms of 30000",
         holder.expires_in.count());
  owner.Return(/*deregister=*/true);
  stats = Read(rig);
  Expect(stats.shards_owned == 0 && (stats.holders.empty() || !stats.holders[0].relay_id),
         "a released shard still has a holder");
}

}  // namespace

std::vector<Case> StatsCases() {
  return {
      {"stats", "counts-what-is-there", "Backlog, retrying, blocked, dead and the oldest age are correct.",
       CountsWhatIsThere},
      {"stats", "names-the-holder",
       "The statistics name the owner of the shard, its token and the time until the lease expires.", NamesTheHolder},
  };
}

}  // namespace outbox::contract
