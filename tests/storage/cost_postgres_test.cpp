// Tests that the cost of a statement that a running relay executes does not grow with the outbox, the failures or the
// dead letters, whatever the table statistics are. The cost is the number of buffers that the server accesses.
// OUTBOX_TEST_POSTGRES is a connection string of a superuser of a server with pg_stat_statements.
#include <functional>

#include "cost_calls.hpp"
#include "server.hpp"
#include "sql/sql_template.hpp"

namespace outbox::testing {
namespace {

// SQL that fills the tables: the oldest 5 000 rows have failed, and 95 000 further failures belong to deleted rows.
// Some failures are due.
constexpr const char* kFill = R"(
insert into outbox_event (id, topic, aggregate_id, event_type, payload)
  select g, 't', 'k' || g, 'n', '{}' from generate_series(1, [rows]) g;
insert into outbox_retry (row_id, event_id, aggregate_id, attempts, next_try, first_failed, last_failed, reason, error)
  select id, event_id, aggregate_id, 1,
    case when id % 10 = 0 then now() - id * interval '1 ms' else now() + interval '1 day' end, now(), now(), 'r', 'e'
  from outbox_event where id <= 5000
  union all select -g, gen_random_uuid(), 'x' || g % 1000, 1, now() + interval '1 day', now(), now(), 'r', 'e'
  from generate_series(1, 95000) g;
insert into outbox_dead (row_id, event_id, topic, aggregate_id, event_type, payload, created_at, attempts, first_failed,
    died_at, reason, error)
  select -g, gen_random_uuid(), 't', 'x' || g, 'n', '{}', now(), 1, now(), now(), 'r', 'e'
  from generate_series(1, 100000) g)";

class Measured {
 public:
  explicit Measured(Application& app) : app_(app) {}
  void operator()(const std::string& name, const std::function<void()>& call) {
    app_("select pg_stat_statements_reset()");
    call();
    cost[name] =
        std::stoll(app_("select coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint from pg_stat_statements"
                        " where query like '%outbox_%'"));
  }
  Cost cost;

 private:
  Application& app_;
};

TEST_CASE("the cost of a statement does not grow with the tables", "[b95]") {
  Fresh fresh;
  Application& app = fresh.app;
  app("create extension if not exists pg_stat_statements");
  {
    Relay relay(Configured());
    relay.writing().ApplySchema({});
    for (const char* table : {"outbox_event", "outbox_retry", "outbox_dead"})
      app("alter table " + std::string(table) + " set unlogged; alter table " + table +
          " set (autovacuum_enabled = off)");
  }
  for (const bool stale : {false, true}) {
    const auto fill = [&](long long rows) {
      app("truncate outbox_event, outbox_retry, outbox_dead");
      if (stale) app("analyze outbox_event, outbox_retry, outbox_dead");
      app(sql::Fill(kFill, {{"[rows]", std::to_string(rows)}}));
    };
    Costs costs = MeasureSizes(
        fill, [&](std::uint32_t batch) { return MeasureRelay<Measured>(Relay(Configured()), 2, batch, app); });
    CheckGrowth(costs, stale ? "stale statistics" : "missing statistics",
                {.unit = "buffers", .slack = 20, .for_event = 60, .for_call = 60'000});
  }
}

TEST_CASE("every event that the outbox can hold can be recorded as failed", "[b106]") {
  Ready ready;
  std::string elephants, letters;
  for (int i = 0; i < 4000; ++i) elephants += "\xF0\x9F\x90\x98";
  for (char letter = '!'; letter <= '~'; ++letter) letters += letter;
  for (const std::string& each : {Noise(12'800, letters), elephants, std::string("trailing   "), std::string()})
    ready.relay.Emit({Event{{}, {}, each, each, each, each, {}}, Event{{}, {}, each, each, each, each, {}}});
  CheckAllCanFail(ready.relay, 4, ready.app);
}

}  // namespace
}  // namespace outbox::testing
