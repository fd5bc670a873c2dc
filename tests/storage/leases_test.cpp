// Tests the SQL of the leases on a database whose clock the test sets. In random histories, other relays act between a
// relay's read of the lease tables and the transaction that follows from that read. The expected results come from the
// model of leases that the simulator uses. After every step, the answer, the transactions that the step made, the
// tables and the output of `status` are compared with the model.
#include "sql/leases.hpp"

#include <sqlite3.h>

#include <functional>
#include <random>
#include <sstream>
#include <utility>

#include "tests/catch.hpp"
#include "tests/simulation/model_leases.hpp"

namespace outbox::sql {
namespace {

constexpr const char* kLock = " /* for update */";
const sql::Tables kTables{"outbox_event"};
const Dialect kDialect = [] {
  Dialect d;
  d.lock = kLock;
  d.now = "(select at from clock)";
  d.later = "(select at from clock) + cast(:ms as integer)";
  d.left = "(r.expires - t.at)";
  return d;
}();

class Database final : public Statements {
 public:
  explicit Database(std::uint32_t shards) {
    REQUIRE(sqlite3_open(":memory:", &raw_) == SQLITE_OK);
    // Reverses the order of rows, so that a statement that needs an order has to specify it.
    Run({"pragma reverse_unordered_selects = on", {}});
    Run({"create table clock (at integer)", {}});
    Run({"insert into clock values (1000000)", {}});
    Run({"create table outbox_meta (shards integer)", {}});
    Run({"insert into outbox_meta values (cast(:shards as integer))", {std::to_string(shards)}});
    Run({"create table outbox_relay (relay_id text primary key, expires integer)", {}});
    Run(
        {"create table outbox_shard (shard integer primary key, owner text, token integer default 0,"
         " state text default 'free', lost integer default 0)",
         {}});
    for (std::uint32_t i = 0; i < shards; ++i)
      Run({"insert into outbox_shard (shard) values (cast(:shard as integer))", {std::to_string(i)}});
  }
  ~Database() override { sqlite3_close(raw_); }

  Rows Run(const Statement& statement) override {
    INFO(statement.sql);
    sqlite3_stmt* prepared = nullptr;
    REQUIRE(sqlite3_prepare_v2(raw_, statement.sql.c_str(), -1, &prepared, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_bind_parameter_count(prepared) == static_cast<int>(statement.values.size()));
    int at = 0;
    for (const Value& value : statement.values)
      if (++at; value) sqlite3_bind_text(prepared, at, value->c_str(), -1, SQLITE_TRANSIENT);
    Rows rows;
    int result = sqlite3_step(prepared);
    for (; result == SQLITE_ROW; result = sqlite3_step(prepared)) {
      Row& row = rows.emplace_back();
      for (int i = 0; i < sqlite3_column_count(prepared); ++i) {
        const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(prepared, i));
        row.push_back(text != nullptr ? Value(text) : std::nullopt);
      }
    }
    sqlite3_finalize(prepared);
    REQUIRE(result == SQLITE_DONE);
    return rows;
  }
  std::vector<Rows> RunTogether(const std::vector<Statement>& statements) override {
    if (meanwhile) std::exchange(meanwhile, nullptr)();
    REQUIRE_FALSE(statements.empty());
    transactions += statements[0].sql.ends_with(kLock) ? " locked" : " plain";
    std::vector<Rows> all;
    for (const Statement& statement : statements) all.push_back(Run(statement));
    return all;
  }

  // The kinds of transactions, in the order in which they were made.
  std::string transactions;
  // A function that is called once, before the next transaction. It lets other relays act.
  std::function<void()> meanwhile;

 private:
  sqlite3* raw_ = nullptr;
};

std::string Print(const Lease& lease, const std::string& transactions) {
  std::ostringstream text;
  text << lease.shards_total << " shards, " << lease.live_relays << " relays, " << lease.namesakes << " namesakes, "
       << lease.left.count() << " ms,";
  for (const outbox_owned_shard& s : lease.owned)
    text << (s.state == OUTBOX_SHARD_RELEASE ? " -" : " ") << s.shard << "#" << s.token;
  text << ";" << transactions;
  return text.str();
}

class History {
 public:
  History(std::uint32_t shards, unsigned seed)
      : shards_(shards),
        random_(seed),
        relays_(2 + Pick(kRelays.size() - 1)),
        model_(shards),
        db_(shards),
        answered_(kRelays.size()),
        tokens_(shards) {}

  void Step() {
    Pass();
    const std::size_t which = Pick(relays_);
    if (Pick(8) == 0)
      Return(which);
    else
      Beat(which);
    REQUIRE(Tables() == ExpectedTables());
    REQUIRE(Status() == ExpectedStatus());
  }

 private:
  // The ids cover all cases: two relays may have one name by mistake, a name may contain the separator, an id without a
  // separator has no name, and ids of different lengths have different names.
  inline static const std::vector<std::string> kRelays{"a#1", "a#2", "a#3", "a##1", "b#11", "ba#1", "alone", "alike"};

  std::size_t Pick(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  [[nodiscard]] simulation::Time Now() const { return now_ * engine::kMillisecond; }

  void Pass() {
    constexpr int kTimes[] = {0, 0, 0, 0, 0, 0, 1, 1, 49, 50, 51, 99, 100, 101, 150, 200, 300};
    now_ += kTimes[Pick(std::size(kTimes))];
    db_.Run({"update clock set at = cast(:now as integer)", {std::to_string(now_)}});
  }

  [[nodiscard]] std::uint32_t Namesakes(std::size_t which) const {
    const auto name = [](const std::string& id) { return id.substr(0, id.rfind('#')); };
    std::uint32_t count = 0;
    for (std::size_t other = 0; other < kRelays.size(); ++other)
      if (other != which && name(kRelays[other]) == name(kRelays[which]) && model_.Left(Id(other), Now()) > 0) ++count;
    return count;
  }

  void Beat(std::size_t which) {
    using Next = simulation::ModelLeases::Next;
    const Millis lease{Pick(2) == 0 ? 300 : 150};
    const simulation::Time duration = lease.count() * engine::kMillisecond;
    auto look = model_.LookAround(Id(which), Now());
    const std::uint32_t namesakes = Namesakes(which);
    // A relay with a namesake registers even if there are more live relays than shards, so the model decides as if
    // there were a shard for each live relay. The relay's share is one shard with either number of shards.
    if (namesakes > 0) look.lease.shards_total = std::max(shards_, look.lease.live_relays);
    const Next next = simulation::ModelLeases::After(look, duration);
    if (next != Next::kAnswer && Pick(4) == 0) {
      db_.meanwhile = [&] {
        const std::string before = std::exchange(db_.transactions, "");
        const std::size_t other = (which + 1 + Pick(relays_ - 1)) % relays_;
        Pass();
        Pick(3) == 0 ? Return(other) : Beat(other);
        db_.transactions = before;
      };
    }
    db_.transactions.clear();
    const Lease got = leases_.Heartbeat(db_, kRelays[which], lease);
    const std::string transactions = std::exchange(db_.transactions, "");
    REQUIRE_FALSE(db_.meanwhile);

    Lease expected = look.lease;
    std::string expected_transactions;
    bool turn = next == Next::kTurn;
    if (next == Next::kRenew) {
      expected_transactions = " plain";
      expected.left = lease;
      turn = !model_.Renew(Id(which), duration, Now());
    }
    if (turn) {
      expected_transactions += " locked";
      expected = model_.Turn(Id(which), duration, Now());
    }
    expected.shards_total = shards_;
    expected.namesakes = namesakes;
    INFO(kRelays[which] << " beats");
    REQUIRE(Print(got, transactions) == Print(expected, expected_transactions));
    answered_[which] = got.owned;
  }

  // Releases some of the shards in the last answer to this relay or to another relay, even if that answer was long ago.
  void Return(std::size_t which) {
    std::vector<outbox_owned_shard> some;
    const std::uint32_t kept = Pick(2) == 0 ? OUTBOX_SHARD_RELEASE : OUTBOX_SHARD_OWNED;
    for (const outbox_owned_shard& s : answered_[Pick(6) == 0 ? Pick(kRelays.size()) : which])
      if (Pick(4) > (s.state == kept ? 2U : 0U)) some.push_back(s);
    const bool deregister = Pick(4) == 0;
    db_.transactions.clear();
    leases_.Return(db_, kRelays[which], some, deregister);
    model_.Return(Id(which), some, deregister);
    REQUIRE(std::exchange(db_.transactions, "") == (some.empty() && !deregister ? "" : " plain"));
  }

  [[nodiscard]] std::string Tables() {
    std::ostringstream text;
    for (const Row& row : db_.Run({"select relay_id, expires from outbox_relay order by relay_id", {}}))
      text << *row[0] << " until " << *row[1] << "\n";
    for (const Row& row :
         db_.Run({"select shard, coalesce(owner, 'nobody'), token, state, lost from outbox_shard order by shard", {}}))
      text << *row[0] << ": " << *row[1] << " #" << *row[2] << " " << *row[3] << " lost " << *row[4] << "\n";
    return text.str();
  }
  [[nodiscard]] std::string ExpectedTables() {
    std::ostringstream text;
    std::vector<std::string> relays, owners(shards_, "nobody"), states(shards_, "free");
    for (std::size_t i = 0; i < kRelays.size(); ++i) {
      const auto look = model_.LookAround(Id(i), Now());
      if (look.registered)
        relays.push_back(kRelays[i] + " until " + std::to_string(now_ + look.lease.left.count()) + "\n");
      for (const outbox_owned_shard& s : look.lease.owned) {
        owners[s.shard] = kRelays[i];
        tokens_[s.shard] = s.token;
        states[s.shard] = s.state == OUTBOX_SHARD_RELEASE ? "leaving" : "owned";
      }
    }
    std::sort(relays.begin(), relays.end());
    for (const std::string& relay : relays) text << relay;
    for (std::uint32_t i = 0; i < shards_; ++i)
      text << i << ": " << owners[i] << " #" << tokens_[i] << " " << states[i] << " lost " << model_.WasLost(i) << "\n";
    return text.str();
  }

  [[nodiscard]] std::string Status() {
    Statistics stats;
    leases_.Read(db_, stats);
    std::ostringstream text;
    text << stats.shards_owned << " of " << stats.shards_total << " owned, " << stats.live_relays << " live\n";
    for (const ShardHolder& holder : stats.holders)
      text << holder.shard << "#" << holder.token << " " << holder.relay_id.value_or("nobody") << " "
           << holder.expires_in.count() << "\n";
    return text.str();
  }
  // Returns the output of `status` according to the model. A relay that has deregistered is the holder of no shard,
  // even if it has not released its shards. REQUIRES: called after ExpectedTables, which fills tokens_.
  [[nodiscard]] std::string ExpectedStatus() const {
    int live = 0, owned = 0;
    std::vector<std::string> holders(shards_, "nobody 0");
    for (std::size_t i = 0; i < kRelays.size(); ++i) {
      const auto look = model_.LookAround(Id(i), Now());
      live += look.registered && look.lease.left.count() > 0 ? 1 : 0;
      if (!look.registered) continue;
      for (const outbox_owned_shard& s : look.lease.owned) {
        holders[s.shard] = kRelays[i] + " " + std::to_string(look.lease.left.count());
        owned += look.lease.left.count() > 0 ? 1 : 0;
      }
    }
    std::ostringstream text;
    text << owned << " of " << shards_ << " owned, " << live << " live\n";
    for (std::uint32_t i = 0; i < shards_; ++i) text << i << "#" << tokens_[i] << " " << holders[i] << "\n";
    return text.str();
  }

  static simulation::RelayId Id(std::size_t which) { return static_cast<simulation::RelayId>(which); }

  const std::uint32_t shards_;
  std::mt19937 random_;
  const std::size_t relays_;  // The number of relays in kRelays that take part.
  simulation::ModelLeases model_;
  Database db_;
  const Leases leases_{kTables, kDialect};
  long long now_ = 1'000'000;
  std::vector<std::vector<outbox_owned_shard>> answered_;  // The last answer to each relay.
  std::vector<std::uint64_t> tokens_;                      // The last token of each shard.
};

}  // namespace

TEST_CASE("random leases are taken, shared, renewed, released and lost as in the model", "[leases]") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    History history(1 + seed % 9, seed);
    for (int step = 0; step < 60; ++step) {
      INFO("seed " << seed << ", step " << step);
      history.Step();
    }
  }
}

TEST_CASE("a relay that only has shards to release keeps its lease meanwhile, however many relays wait", "[leases]") {
  Database db(2);
  const Leases leases(kTables, kDialect);
  const auto beat = [&](const char* relay) { return leases.Heartbeat(db, relay, Millis(300)); };
  const std::vector<outbox_owned_shard> both = beat("a#1").owned;
  beat("b#1");
  beat("a#1");  // The answer asks a#1 to release the second shard.
  leases.Return(db, "a#1", std::vector{both.at(0)}, false);
  CHECK(beat("b#1").owned.size() == 1);
  beat("b#2");  // b#2 registers, because b#1 has the same name.
  CHECK(Print(beat("a#1"), "") == "2 shards, 3 relays, 0 namesakes, 300 ms, -1#1;");
}

TEST_CASE("without the row of the meta table a heartbeat fails, instead of reporting that there are no shards",
          "[leases]") {
  Database db(1);
  db.Run({"delete from outbox_meta", {}});
  const Leases leases(kTables, kDialect);
  try {
    (void)leases.Heartbeat(db, "a#1", Millis(300));
    FAIL("an answer");
  } catch (const Error& error) {
    CHECK(error.code == OUTBOX_BAD_CONFIG);
    CHECK(error.what() == std::string("the meta table is empty; run: outbox-relay migrate"));
  }
}

}  // namespace outbox::sql
