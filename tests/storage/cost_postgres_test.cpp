// What a statement of the run path costs must not grow with the outbox, the failures or the dead letters, whatever the
// statistics say. OUTBOX_TEST_POSTGRES is a connection string of a superuser of a server with pg_stat_statements.
#include <libpq-fe.h>

#include <cstdlib>
#include <functional>

#include "cost_calls.hpp"
#include "postgres/adapter.hpp"
#include "sql/sql_template.hpp"
#include "tests/catch.hpp"

namespace {

using outbox::Disposition;
using outbox::Event;
using outbox::postgres::Config;
using outbox::testing::IdsOf;
using Relay = outbox::testing::Driver<outbox::postgres::Adapter, Config>;
using outbox::testing::Cost;  // in buffers

class Application {
 public:
  Application() : db_(PQconnectdb(std::getenv("OUTBOX_TEST_POSTGRES"))) { REQUIRE(PQstatus(db_) == CONNECTION_OK); }
  ~Application() { PQfinish(db_); }
  Application(const Application&) = delete;
  std::string operator()(const std::string& sql) {
    PGresult* const result = PQexec(db_, sql.c_str());
    const std::string message = PQresultErrorMessage(result);
    const std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    INFO(sql);
    REQUIRE(message == "");
    return value;
  }

 private:
  PGconn* db_;
};

std::shared_ptr<Config> Configured() {
  return std::make_shared<Config>(R"({"connection": ")" + std::string(std::getenv("OUTBOX_TEST_POSTGRES")) + "\"}",
                                  nullptr);
}

// 5 000 of the oldest rows have failed, and 95 000 failures are of rows that somebody has deleted. Some are due.
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

// The calls of a relay that has passed the failures, with batches of so many.
Cost Measure(Application& app, std::uint32_t batch) {
  Relay relay(Configured());
  relay.Heartbeat();
  (void)relay.Reserve(1000, 64 << 20, true);
  (void)relay.Reserve(1000);
  Measured measured(app);
  outbox::testing::MeasureCalls(relay, batch, measured);
  return measured.cost;
}

TEST_CASE("the cost of a statement does not grow with the tables", "[b95]") {
  Application app;
  app("create extension if not exists pg_stat_statements");
  {
    Relay relay(Configured());
    relay.writing().ApplySchema({});
    for (const char* table : {"outbox_event", "outbox_retry", "outbox_dead"})
      app("alter table " + std::string(table) + " set unlogged; alter table " + table +
          " set (autovacuum_enabled = off)");
  }
  for (const bool stale : {false, true}) {
    outbox::testing::Costs costs;
    for (const long long rows : {outbox::testing::kFewRows, outbox::testing::kManyRows}) {
      app("truncate outbox_event, outbox_retry, outbox_dead");
      if (stale) app("analyze outbox_event, outbox_retry, outbox_dead");
      app(outbox::sql::Fill(kFill, {{"[rows]", std::to_string(rows)}}));
      for (const std::uint32_t batch : {1U, 1000U}) {
        costs[batch][rows] = Measure(app, batch);
        app("delete from outbox_relay");
      }
    }
    outbox::testing::CheckGrowth(costs, stale ? "stale statistics" : "missing statistics",
                                 {.unit = "buffers", .slack = 20, .for_event = 60, .for_call = 60'000});
  }
}

// Characters of which no two are alike to a compressor.
std::string Noise(std::size_t size) {
  std::string noise;
  std::uint64_t state = 88172645463325252U;
  while (noise.size() < size) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    noise += static_cast<char>('!' + state % 94);
  }
  return noise;
}

TEST_CASE("whatever the outbox holds can be recorded as failed", "[b106]") {
  Application app;
  Relay relay(Configured());
  relay.writing().ApplySchema({});
  app("truncate outbox_event, outbox_retry, outbox_dead");
  const std::string key = Noise(12'800), wide = "\xF0\x9F\x90\x98";
  std::string elephants;
  for (int i = 0; i < 4000; ++i) elephants += wide;
  for (const std::string& each : {key, elephants, std::string("trailing   "), std::string()})
    relay.Emit({Event{{}, {}, each, each, each, each, {}}, Event{{}, {}, each, each, each, each, {}}});
  relay.Heartbeat();
  for (const auto disposition : {Disposition::kRetry, Disposition::kBlock, Disposition::kDead}) {
    auto rows = relay.Reserve(1000, 64 << 20, true);
    REQUIRE(rows.size() == 8);
    const std::vector<long long> heads{rows[0].id, rows[2].id, rows[4].id, rows[6].id};
    relay.FailAll(heads, disposition);
    relay.outstanding.clear();
    // The second of each key waits behind the first, unless that is dead.
    CHECK(relay.Reserve(1000, 64 << 20, true).size() == (disposition == Disposition::kDead ? 4 : 0));
    relay.outstanding.clear();
    app("delete from outbox_retry");
  }
  CHECK(app("select count(*) from outbox_dead where aggregate_id = topic and topic = event_type") == "4");
  auto rest = IdsOf(relay.Reserve(1000, 64 << 20, true));
  relay.Confirm(rest);
  CHECK(app("select count(*) from outbox_event") == "0");
}

}  // namespace
