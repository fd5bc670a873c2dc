// Random histories of leases, compared step by step with the model of leases that the simulator uses.
#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "rig.hpp"
#include "tests/simulation/model_leases.hpp"

namespace outbox::contract {
namespace {

constexpr Millis kTimeout{10'000}, kLong{600'000}, kShort{1};
constexpr std::uint32_t kShards = 5;
// The number of relays. It is greater than the number of shards.
constexpr int kRelays = 7;

engine::Time Micros(Millis t) { return std::chrono::microseconds(t).count(); }

// Sets the number of shards for one case. The destructor resets the number to one, on which the other cases rely.
class Shards {
 public:
  Shards(Rig& rig, const std::string& payload) : rig_(rig), payload_(payload) {
    const Status made = rig.session().ApplySchema({kShards, payload}, Within(kTimeout));
    if (made.code() == OUTBOX_UNSUPPORTED) throw Skipped("the plugin does not set the number of shards");
    Ok(made);
  }
  ~Shards() {
    rig_.ExpireLeases();
    (void)rig_.session().ApplySchema({1, payload_}, Within(kTimeout));
  }
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

 private:
  Rig& rig_;
  const std::string payload_;
};

class LeaseHistory {
 public:
  LeaseHistory(Rig& rig, std::uint64_t seed) : rig_(rig), seed_(seed), random_(seed), model_(kShards) {
    for (int i = 0; i < kRelays; ++i) relays_.push_back({fmt::format("relay-{}", i), rig.Connect(), {}});
  }

  void Run(int steps) {
    rig_.Emit(std::vector<Note>(30, Note{}));
    for (int step = 0; step < steps; ++step) {
      const auto relay = static_cast<int>(Below(kRelays));
      switch (Below(12)) {
        case 0:
          Die(relay);
          break;
        case 1:
        case 2:
          Return(relay, Below(3) == 0);
          break;
        case 3:
          Use(relay);
          break;
        case 4:
          if (Below(4) == 0) ExpireAll();
          break;
        default:
          Beat(relay, kLong);
      }
    }
    Settle();
  }

 private:
  struct Player {
    std::string id;
    std::unique_ptr<storage::Session> session;
    // The shards that the last heartbeat returned, with the model's tokens, which may since have become stale.
    std::vector<outbox_owned_shard> known;
  };

  std::size_t Below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  void Did(std::string what) {
    did_.push_back(std::move(what));
    if (did_.size() > 12) did_.erase(did_.begin());
  }
  template <class... Args>
  void Check(bool kept, fmt::format_string<Args...> seen, Args&&... args) {
    if (!kept)
      throw Broken(fmt::format("{} (seed {}; last steps: {})", fmt::format(seen, std::forward<Args>(args)...), seed_,
                               fmt::join(did_, "; ")));
  }

  // Returns the database's token for a token of the model. The first token of a database need not be 0.
  [[nodiscard]] std::uint64_t Token(const outbox_owned_shard& s) const { return s.token + first_token_.at(s.shard); }
  [[nodiscard]] static std::string Print(const Lease& lease) {
    std::string shards;
    for (const outbox_owned_shard& s : lease.owned)
      shards += fmt::format(" {}{}#{}", s.state == OUTBOX_SHARD_RELEASE ? "-" : "", s.shard, s.token);
    return fmt::format("{} of {} relays live{}", lease.shards_total, lease.live_relays, shards);
  }

  void Beat(int which, Millis duration) {
    Player& relay = relays_[static_cast<std::size_t>(which)];
    const Lease expected = model_.Heartbeat(which, Micros(duration), now_);
    Lease got = Ok(relay.session->Heartbeat(relay.id, duration, Within(kTimeout)));
    for (outbox_owned_shard& s : got.owned) {
      for (const outbox_owned_shard& e : expected.owned)
        if (e.shard == s.shard) first_token_.try_emplace(s.shard, s.token - e.token);
      if (first_token_.contains(s.shard)) s.token -= first_token_[s.shard];
    }
    Did(fmt::format("{} beats: {}", relay.id, Print(expected)));
    Check(Print(got) == Print(expected), "the answer is '{}', expected: '{}' (-n: to be released, #: token)",
          Print(got), Print(expected));
    relay.known = expected.owned;
  }

  // Simulates the death of a relay: the lease of its last heartbeat expires before the relay can renew the lease.
  void Die(int which) {
    Beat(which, kShort);
    std::this_thread::sleep_for(5 * kShort);
    now_ += Micros(5 * kShort);
    Did("and sends no more heartbeats");
  }

  void ExpireAll() {
    Did("all leases end");
    rig_.ExpireLeases();
    model_.ExpireAll(now_);
  }

  // Releases some of the shards that the relay's last heartbeat returned, even if that heartbeat was long ago.
  void Return(int which, bool deregister) {
    Player& relay = relays_[static_cast<std::size_t>(which)];
    std::vector<outbox_owned_shard> some, real;
    for (const outbox_owned_shard& s : relay.known)
      if (Below(2) == 0) some.push_back(s);
    real = some;
    for (outbox_owned_shard& s : real) s.token = Token(s);
    Did(fmt::format("{} releases {} shards{}", relay.id, some.size(), deregister ? " and leaves" : ""));
    Ok(relay.session->ReleaseShards(relay.id, real, deregister, Within(kTimeout)));
    model_.Return(which, some, deregister);
  }

  void Use(int which) {
    Player& relay = relays_[static_cast<std::size_t>(which)];
    for (const outbox_owned_shard& s : relay.known) {
      storage::ReserveRequest order;
      order.max_events = 1;
      order.max_bytes = 1;
      order.reserve_duration = kLong;
      order.relay_id = relay.id;
      const Call call{s.shard, Token(s), kTimeout};
      const auto read = relay.session->ReserveNewEvents(order, call);
      const bool holds = model_.Holds(s.shard, s.token);
      Did(fmt::format("{} reads shard {} under token {}", relay.id, s.shard, s.token));
      const auto expect = [&](const char* what, const Status& status) {
        Check(holds ? status.ok() : status.code() == OUTBOX_LEASE_LOST, "{} under a {} token returned code {}", what,
              holds ? "valid" : "stale", status.code());
      };
      expect("a read", read.status());
      std::vector<storage::OwnedRowId>& rows = rows_[s.shard];
      if (read.ok() && read->size() > 0 && rows.size() < 2) {
        const RowId id = ToRowId((*read)[0].row_id);
        if (std::ranges::count(rows, id, &storage::OwnedRowId::View) == 0) rows.emplace_back(id);
      }
      if (rig_.store().HasPoison()) Suspect(*relay.session, s, call, rows, expect);
    }
  }

  // Compares the answers of the extension outbox.poison/1 with those of the model.
  template <class Expect>
  void Suspect(storage::Session& session, const outbox_owned_shard& s, const Call& call,
               const std::vector<storage::OwnedRowId>& rows, const Expect& expect) {
    const auto lost = session.WasLost(call);
    expect("was_lost", lost.status());
    if (lost.ok())
      Check(*lost == model_.WasLost(s.shard), "was_lost reports that shard {} was {} by its last owner", s.shard,
            *lost ? "lost" : "released");
    const std::size_t which = Below(rows.size() + 1);
    const bool none = which == rows.size();
    Did(fmt::format("and marks {}", none ? "none" : "row " + rows[which].ToText()));
    const auto owners = session.Mark(none ? std::nullopt : std::optional(rows[which].View()), call);
    expect("mark", owners.status());
    if (!owners.ok()) return;
    const std::uint32_t expected = model_.Mark(s.shard, none ? std::nullopt : std::optional<std::uint64_t>(which));
    Check(none || *owners == expected, "{} owners in a row have marked the row, expected: {}", *owners, expected);
  }

  // Lets each live relay release the shards that the answer to its heartbeat asks for, and checks that afterwards no
  // relay has more than its fair share and every shard has an owner.
  void Settle() {
    ExpireAll();
    const int live = 1 + static_cast<int>(Below(kShards));
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < live; ++i) {
        Beat(i, kLong);
        Player& relay = relays_[static_cast<std::size_t>(i)];
        std::vector<outbox_owned_shard> leaving, real;
        for (const outbox_owned_shard& s : relay.known)
          if (s.state == OUTBOX_SHARD_RELEASE) leaving.push_back(s);
        real = leaving;
        for (outbox_owned_shard& s : real) s.token = Token(s);
        Ok(relay.session->ReleaseShards(relay.id, real, false, Within(kTimeout)));
        model_.Return(i, leaving, false);
      }
    }
    std::size_t owned = 0;
    for (int i = 0; i < live; ++i) {
      Beat(i, kLong);
      const std::size_t has = relays_[static_cast<std::size_t>(i)].known.size();
      Check(has <= (kShards + static_cast<std::size_t>(live) - 1) / static_cast<std::size_t>(live),
            "{} of {} relays has {} of {} shards", i, live, has, kShards);
      owned += has;
    }
    Check(owned == kShards, "{} of {} shards have an owner", owned, kShards);
  }

  Rig& rig_;
  const std::uint64_t seed_;
  std::mt19937_64 random_;
  simulation::ModelLeases model_;
  engine::Time now_ = 1;
  std::vector<Player> relays_;
  std::map<std::uint32_t, std::uint64_t> first_token_;
  // Ids of rows that were read, at most two per shard.
  std::map<std::uint32_t, std::vector<storage::OwnedRowId>> rows_;
  std::vector<std::string> did_;
};

void RandomLeases(const Subject& subject) {
  Rig rig(subject);
  rig.NeedLeases();
  const Shards shards(rig, subject.payload);
  LeaseHistory(rig, subject.seed).Run(600);
}

}  // namespace

std::vector<Case> LeaseHistoryCases() {
  return {{"lease", "random-history",
           "Shards are taken, shared, released and lost, and events marked, as in the model of the lease protocol "
           "(--seed).",
           RandomLeases}};
}

}  // namespace outbox::contract
