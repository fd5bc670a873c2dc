// What a statement of the run path costs must not grow with the outbox, the failures or the dead letters, whatever the
// statistics say: rows that the server has read for it.
#include <functional>
#include <map>

#include "cost_calls.hpp"
#include "mysql_rig.hpp"

namespace outbox::testing {
namespace {

using outbox::testing::Cost;  // in rows

// As many numbers, from 1 on.
std::string Numbers(long long count) {
  const std::string digits =
      "(select 0 d union all select 1 union all select 2 union all select 3 union all select 4 union all"
      " select 5 union all select 6 union all select 7 union all select 8 union all select 9)";
  std::string sum = "1", from;
  long long power = 1;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    if (power >= count) break;
    sum += " + " + std::string(name) + ".d * " + std::to_string(power);
    from += (from.empty() ? "" : ", ") + digits + " " + name;
    power *= 10;
  }
  return "(select " + sum + " as g from " + from + ")";
}

// 5 000 of the oldest rows have failed, and 95 000 failures are of rows that somebody has deleted. Some are due.
void Fill(Application& app, long long rows, bool stale) {
  for (const char* table : {"outbox_event", "outbox_retry", "outbox_dead"}) {
    app("truncate " + std::string(table));
    app("alter table " + std::string(table) + " stats_persistent = 1, stats_auto_recalc = 0");
    if (stale) app("analyze table " + std::string(table));
  }
  app("insert into outbox_event (id, topic, aggregate_id, event_type, payload) select g, 't', concat('k', g), 'n', "
      "'{}' from " +
      Numbers(rows) + " n");
  app("insert into outbox_retry (row_id, event_id, aggregate_id, attempts, next_try, reason, error)"
      " select id, event_id, aggregate_id, 1, if(id % 10 = 0, now(6) - interval id second, now(6) + interval 1 day), "
      "'r', 'e'"
      " from outbox_event where id <= 5000");
  app("insert into outbox_retry (row_id, event_id, aggregate_id, attempts, next_try, reason, error)"
      " select -g, uuid(), concat('x', g % 1000), 1, now(6) + interval 1 day, 'r', 'e' from " +
      Numbers(100'000) + " n where g <= 95000");
  app("insert into outbox_dead (row_id, event_id, topic, event_type, attempts, reason, error)"
      " select -g, uuid(), 't', 'n', 1, 'r', 'e' from " +
      Numbers(100'000) + " n");
}

long long RowsRead(Application& app) {
  long long sum = 0;
  for (const char* kind : {"first", "key", "last", "next", "prev", "rnd", "rnd_next"})
    sum += app.Counted("Handler_read_" + std::string(kind));
  return sum;
}

class Measured {
 public:
  explicit Measured(Application& app) : app_(app) {
    const long long before = RowsRead(app_);
    own_ = RowsRead(app_) - before;
  }
  void operator()(const std::string& name, const std::function<void()>& call) {
    const long long before = RowsRead(app_);
    call();
    cost[name] = RowsRead(app_) - before - own_;
  }
  Cost cost;

 private:
  Application& app_;
  long long own_ = 0;
};

// The calls of a relay that has passed the failures, with batches of so many.
Cost Measure(Application& app, std::uint32_t batch) {
  MysqlRelay relay(Configured());
  relay.Heartbeat();
  for (int reads = 0; reads < 4; ++reads) (void)relay.Reserve(1000, 64 << 20, reads == 0);
  Measured measured(app);
  outbox::testing::MeasureCalls(relay, batch, measured);
  return measured.cost;
}

TEST_CASE("the cost of a statement does not grow with the tables", "[b95]") {
  Fresh fresh;
  Application& app = fresh.app;
  {
    MysqlRelay relay(Configured());
    relay.writing().ApplySchema({});
  }
  for (const bool stale : {false, true}) {
    outbox::testing::Costs costs;
    for (const long long rows : {outbox::testing::kFewRows, outbox::testing::kManyRows}) {
      Fill(app, rows, stale);
      for (const std::uint32_t batch : {1U, 1000U}) {
        costs[batch][rows] = Measure(app, batch);
        app("delete from outbox_relay");
      }
    }
    outbox::testing::CheckGrowth(costs, stale ? "stale statistics" : "missing statistics",
                                 {.unit = "rows", .slack = 20, .for_event = 30, .for_call = 60'000});
  }
}

// Characters of which no two are alike to a compressor, that stand for themselves in SQL.
std::string Noise(std::size_t size) {
  std::string noise;
  std::uint64_t state = 88172645463325252U;
  while (noise.size() < size) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    noise += "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[state % 64];
  }
  return noise;
}

TEST_CASE("whatever the outbox holds can be recorded as failed", "[b106]") {
  Fresh fresh;
  Application& app = fresh.app;
  MysqlRelay relay(Configured());
  relay.writing().ApplySchema({});
  // As an application may have made its columns.
  app("alter table outbox_event modify aggregate_id varchar(4000), modify event_type varchar(4000) not null,"
      " modify topic varchar(4000) not null, modify event_id varchar(255) not null");
  std::string elephants;
  for (int i = 0; i < 4000; ++i) elephants += "\xF0\x9F\x90\x98";
  int number = 0;
  for (const std::string& each : {Noise(4000), elephants, std::string("trailing   "), std::string()})
    for (int i = 0; i < 2; ++i)
      app("insert into outbox_event (event_id, topic, aggregate_id, event_type, payload) values (concat(" +
          std::to_string(++number) + ", repeat('i', 200)), '" + each + "', '" + each + "', '" + each + "', '" + each +
          "')");
  relay.Heartbeat();
  for (const auto disposition : {Disposition::kRetry, Disposition::kBlock, Disposition::kDead}) {
    const auto rows = relay.Reserve(1000, 64 << 20, true);
    REQUIRE(rows.size() == 8);
    relay.FailAll({rows[0].id, rows[2].id, rows[4].id, rows[6].id}, disposition);
    relay.outstanding.clear();
    // The second of each key waits behind the first, unless that is dead.
    CHECK(relay.Reserve(1000, 64 << 20, true).size() == (disposition == Disposition::kDead ? 4 : 0));
    relay.outstanding.clear();
    app("delete from outbox_retry");
  }
  CHECK(app("select count(*) from outbox_dead where aggregate_id = topic and topic = event_type") == "4");
  relay.Confirm(IdsOf(relay.Reserve(1000, 64 << 20, true)));
  CHECK(app("select count(*) from outbox_event") == "0");
}

TEST_CASE("tables of version 1 get the index on a hash of the key", "[b106]") {
  Ready ready;
  ready.app(
      "alter table outbox_retry drop index key_hash, drop column key_hash, modify aggregate_id varchar(255),"
      " modify event_id char(36) not null, add index (aggregate_id, row_id)");
  ready.app(
      "insert into outbox_retry (row_id, event_id, aggregate_id, attempts, reason, error) values (1, 'a', 'k', 1, 'r', "
      "'e')");
  ready.relay.writing().ApplySchema({});
  CHECK(ready.app("select key_hash = crc32('k') from outbox_retry") == "1");
  ready.relay.writing().ApplySchema({});
}

}  // namespace
}  // namespace outbox::testing
