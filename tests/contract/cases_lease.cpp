// Tests of the extension outbox.leases/1: a shard has one owner at a time, by the database's clock.
#include <thread>

#include "rig.hpp"

namespace outbox::contract {
namespace {

void HeartbeatTakesTheShard(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  Relay relay(rig, "relay-a", Relay::Standby{});
  const Lease lease = relay.Heartbeat(Millis(15'000));
  relay.ExpectToOwn();
  Expect(lease.owned[0].token != 0, "the token is 0, which means not fenced");
  Expect(lease.shards_total == 1 && lease.live_relays == 1, "{} shards and {} live relays, expected: one of each",
         lease.shards_total, lease.live_relays);
  Expect(lease.left > Millis(10'000) && lease.left <= Millis(15'000), "{} ms of a lease of 15000 are left",
         lease.left.count());
}

void RenewalKeepsTheToken(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  Relay relay(rig);
  const std::uint64_t token = relay.token();
  for (int i = 0; i < 3; ++i) relay.Heartbeat();
  relay.ExpectToOwn();
  Expect(relay.token() == token, "the token went from {} to {} though nobody else owned the shard", token,
         relay.token());
}

void StandbyOwnsNothing(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  Relay owner(rig, "relay-a");
  Relay standby(rig, "relay-b", Relay::Standby{});
  for (int i = 0; i < 3; ++i) {
    Expect(standby.Heartbeat().owned.empty(), "a standby owns the shard of a live relay");
    owner.Heartbeat();
    owner.ExpectToOwn();
  }
}

void ExpiredLeaseIsTakenByAnother(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  Relay first(rig, "relay-a");
  Relay second(rig, "relay-b", Relay::Standby{});
  second.Heartbeat();
  rig.ExpireLeases();
  second.Heartbeat();
  second.ExpectToOwn();
  Expect(second.token() > first.token(), "the new owner's token {} is not above the old one's {}", second.token(),
         first.token());
  Expect(first.Heartbeat().owned.empty(), "the old owner still owns the shard");
}

void LeaseEndsByItself(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  Relay first(rig, "relay-a", Relay::Standby{});
  Relay second(rig, "relay-b", Relay::Standby{});
  const auto before = std::chrono::steady_clock::now();
  first.Heartbeat(Millis(700));
  Millis waited{0};
  while (second.Heartbeat().owned.empty()) {
    waited = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - before);
    Expect(waited < Millis(5'000), "a lease of 700 ms still holds after {} ms", waited.count());
    std::this_thread::sleep_for(Millis(20));
  }
  waited = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - before);
  Expect(waited >= Millis(690), "a lease of 700 ms was taken over after {} ms", waited.count());
}

void ReturnedShardIsFreeAtOnce(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  Relay first(rig, "relay-a");
  Relay second(rig, "relay-b", Relay::Standby{});
  first.Return(/*deregister=*/true);
  const Lease lease = second.Heartbeat();
  second.ExpectToOwn();
  Expect(lease.live_relays == 1, "{} relays are live though one has left", lease.live_relays);
}

void TokenGrows(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  std::uint64_t last = 0;
  for (int i = 0; i < 6; ++i) {
    Relay relay(rig, i % 2 == 0 ? "relay-a" : "relay-b");
    Expect(relay.token() > last, "the token is {} after {}", relay.token(), last);
    last = relay.token();
    relay.Return(i % 3 == 0);
    rig.ExpireLeases();
  }
}

void StaleReturnChangesNothing(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  Relay stale(rig, "relay-a");
  rig.ExpireLeases();
  Relay owner(rig, "relay-b");
  stale.Return(/*deregister=*/true);
  const std::uint64_t token = owner.token();
  owner.Heartbeat();
  owner.ExpectToOwn();
  Expect(owner.token() == token, "a release by a stale owner took the shard from its new owner for a moment");
}

void StaleTokenChangesNothing(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  rig.Need(OUTBOX_CAN_FENCE);
  rig.Emit(3, "k");
  Relay stale(rig, "relay-a");
  const auto rows = stale.Await(3);
  rig.ExpireLeases();
  Relay owner(rig, "relay-b");
  for (const std::int32_t disposition : {OUTBOX_RETRY, OUTBOX_BLOCK, OUTBOX_DEAD}) {
    const Status status = stale.TryFail(rows, disposition, Millis(0));
    Expect(status.code() == OUTBOX_LEASE_LOST, "confirm_failed under a stale token returned code {}: {}", status.code(),
           status.text());
    for (std::size_t i = 1; i <= 3; ++i) rig.ExpectState(EventId(i), OUTBOX_STATE_WAITING, 0);
  }
  if (rig.store().MarksRows()) {
    const Status status = stale.TryRelease(rows);
    Expect(status.code() == OUTBOX_LEASE_LOST, "release_events under a stale token returned code {}", status.code());
  }
  Expect(Numbers(owner.Await(3)) == "1 2 3", "the new owner was not given the events");
}

void ReturnedTokenIsStale(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  rig.Need(OUTBOX_CAN_FENCE);
  rig.Emit(1, "k");
  Relay relay(rig);
  const auto rows = relay.Await(1);
  relay.Return(/*deregister=*/false);
  const Status status = relay.TryFail(rows, OUTBOX_RETRY, Millis(0));
  Expect(status.code() == OUTBOX_LEASE_LOST, "confirm_failed after the shard was released returned code {}",
         status.code());
  rig.ExpectState(EventId(1), OUTBOX_STATE_WAITING, 0);
}

void ConfirmIsNeverFenced(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  rig.Emit(2, "k");
  Relay stale(rig, "relay-a");
  const auto rows = stale.Await(2);
  rig.ExpireLeases();
  Relay owner(rig, "relay-b");
  stale.Confirm(rows);
  owner.ExpectNothing("a stale owner has confirmed what Kafka acknowledged");
}

void NewOwnerIsGivenWhatTheOldOneHeld(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  rig.Emit(3, "k");
  Relay first(rig, "relay-a");
  first.Confirm({first.Await(3)[0]});
  rig.ExpireLeases();
  Relay second(rig, "relay-b");
  Expect(Numbers(second.Await(2)) == "2 3", "the new owner was not given what the old one had not confirmed");
}

void ShardGainedAgainIsReadFromItsOldestRow(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  rig.Emit(2, "k");
  Relay first(rig, "relay-a");
  first.Await(2);
  first.Forget();
  rig.ExpireLeases();
  Relay second(rig, "relay-b");
  rig.Emit(1, "k");
  second.Await(3);
  second.Return(/*deregister=*/true);
  first.Heartbeat();
  first.ExpectToOwn();
  const auto rows = first.ReadAll(/*rewind=*/true);
  Expect(Numbers(rows) == "1 2 3", "the relay that owns the shard again was given '{}', expected: 1 2 3",
         Numbers(rows));
}

// The relay ids have the maximum length of the ids that relays make. The two relays were given the same name by
// mistake.
void EachIncarnationIsARelayOfItsOwn(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  const std::string name = std::string(127, 'n') + "#";
  Relay first(rig, name + "#0123456789abcdef");
  Relay second(rig, name + "#0123456789abcdee", Relay::Standby{});
  const std::uint64_t token = first.token();
  for (int i = 0; i < 3; ++i) {
    Expect(second.Heartbeat().owned.empty(), "a second incarnation owns the shard of the first one, which lives");
    const Lease kept = first.Heartbeat();
    first.ExpectToOwn();
    Expect(first.token() == token, "the token went from {} to {} because of another incarnation", token, first.token());
    Expect(kept.namesakes <= 1, "{} namesakes are counted where there is one", kept.namesakes);
  }
  second.Return(/*deregister=*/true);
  first.Heartbeat();
  first.ExpectToOwn();
  Expect(first.token() == token, "the second incarnation left, and the first one's token went from {} to {}", token,
         first.token());
  rig.ExpireLeases();
  second.Heartbeat();
  second.ExpectToOwn();
  Expect(second.token() > token, "the second incarnation's token {} is not above the first one's {}", second.token(),
         token);
}

}  // namespace

std::vector<Case> LeaseCases() {
  return {
      {"lease", "heartbeat-takes-the-shard", "The first relay owns the shard at once.", HeartbeatTakesTheShard},
      {"lease", "renewal-keeps-the-token", "A token changes only with the owner of the shard.", RenewalKeepsTheToken},
      {"lease", "heartbeat-standby-owns-nothing", "A second relay gets no shard while the lease of the first lives.",
       StandbyOwnsNothing},
      {"lease", "expired-lease-is-taken-by-another", "When a lease ends, a live relay takes the shard.",
       ExpiredLeaseIsTakenByAnother},
      {"lease", "lease-ends-by-itself", "A lease lasts for the requested time, by the database's clock.",
       LeaseEndsByItself},
      {"lease", "returned-shard-is-free-at-once",
       "A released shard can be taken at once, without waiting for an expiry.", ReturnedShardIsFreeAtOnce},
      {"lease", "token-grows", "Every new owner's token is greater than all earlier ones.", TokenGrows},
      {"lease", "stale-return-changes-nothing", "A relay that has lost a shard cannot release it.",
       StaleReturnChangesNothing},
      {"lease", "stale-token-changes-nothing", "Fail and release under a stale token answer LEASE_LOST.",
       StaleTokenChangesNothing},
      {"lease", "returned-token-is-stale", "A token becomes stale when its shard is released.", ReturnedTokenIsStale},
      {"lease", "each-incarnation-is-a-relay-of-its-own",
       "Two ids that differ only behind the last # are two relays, and the second gets no shard.",
       EachIncarnationIsARelayOfItsOwn},
      {"lease", "confirm-is-never-fenced",
       "confirm accepts a stale token, because the events are in Kafka in any case.", ConfirmIsNeverFenced},
      {"lease", "new-owner-is-given-what-the-old-one-held",
       "Events that were outstanding at a lost relay are returned to the new owner.", NewOwnerIsGivenWhatTheOldOneHeld},
      {"lease", "shard-gained-again-is-read-from-its-oldest-row",
       "A shard that is owned again is read from its oldest row, so that nothing is skipped.",
       ShardGainedAgainIsReadFromItsOldestRow},
  };
}

}  // namespace outbox::contract
