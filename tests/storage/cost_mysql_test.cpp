// Tests that the cost of a statement that a running relay executes does not grow with the outbox, the failures or the
// dead letters, whatever the table statistics are. The cost is the number of rows that the server reads for the
// statement.
#include <functional>

#include "cost_calls.hpp"
#include "server.hpp"

namespace outbox::testing {
namespace {

// Fills the tables: the oldest 5 000 rows have failed, and 95 000 further failures belong to deleted rows. Some
// failures are due.
void Fill(Application& app, long long rows, bool stale) {
  for (const char* table : {"outbox_event", "outbox_retry", "outbox_dead"}) {
    app("truncate " + std::string(table));
    app("alter table " + std::string(table) + " stats_persistent = 1, stats_auto_recalc = 0");
    if (stale) app("analyze table " + std::string(table));
  }
  app("insert into outbox_event (id, topic, aggregate_id, event_type, payload) select g, 't', concat('k', g), 'n', "
      "'{}' from " +
      Database::Numbers(rows) + " n");
  app("insert into outbox_retry (row_id, event_id, aggregate_id, attempts, next_try, reason, error)"
      " select id, event_id, aggregate_id, 1, if(id % 10 = 0, now(6) - interval id second, now(6) + interval 1 day), "
      "'r', 'e'"
      " from outbox_event where id <= 5000");
  app("insert into outbox_retry (row_id, event_id, aggregate_id, attempts, next_try, reason, error)"
      " select -g, uuid(), concat('x', g % 1000), 1, now(6) + interval 1 day, 'r', 'e' from " +
      Database::Numbers(95'000) + " n");
  app("insert into outbox_dead (row_id, event_id, topic, event_type, attempts, reason, error)"
      " select -g, uuid(), 't', 'n', 1, 'r', 'e' from " +
      Database::Numbers(100'000) + " n");
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

TEST_CASE("the cost of a statement does not grow with the tables", "[b95]") {
  Fresh fresh;
  Application& app = fresh.app;
  {
    Relay relay(Configured());
    relay.writing().ApplySchema({});
  }
  for (const bool stale : {false, true}) {
    Costs costs =
        MeasureSizes([&](long long rows) { Fill(app, rows, stale); },
                     [&](std::uint32_t batch) { return MeasureRelay<Measured>(Relay(Configured()), 4, batch, app); });
    CheckGrowth(costs, stale ? "stale statistics" : "missing statistics",
                {.unit = "rows", .slack = 20, .for_event = 30, .for_call = 60'000});
  }
}

TEST_CASE("every event that the outbox can hold can be recorded as failed", "[b106]") {
  Fresh fresh;
  Application& app = fresh.app;
  Relay relay(Configured());
  relay.writing().ApplySchema({});
  // An application that creates the table itself may choose these column types.
  app("alter table outbox_event modify aggregate_id varchar(4000), modify event_type varchar(4000) not null,"
      " modify topic varchar(4000) not null, modify event_id varchar(255) not null");
  std::string elephants;
  for (int i = 0; i < 4000; ++i) elephants += "\xF0\x9F\x90\x98";
  int number = 0;
  // None of these characters needs an escape in SQL.
  const std::string noise = Noise(4000, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
  for (const std::string& each : {noise, elephants, std::string("trailing   "), std::string()})
    for (int i = 0; i < 2; ++i)
      app("insert into outbox_event (event_id, topic, aggregate_id, event_type, payload) values (concat(" +
          std::to_string(++number) + ", repeat('i', 200)), '" + each + "', '" + each + "', '" + each + "', '" + each +
          "')");
  CheckAllCanFail(relay, 4, app);
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
