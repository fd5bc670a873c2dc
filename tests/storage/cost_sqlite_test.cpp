// Tests that the cost of a statement that a running relay executes does not grow with the outbox, the failures or the
// dead letters. The cost is the number of steps of SQLite's virtual machine.
#include <sqlite3.h>

#include <filesystem>
#include <functional>

#include "cost_calls.hpp"
#include "sql/sql_template.hpp"
#include "sqlite/adapter.hpp"
#include "tests/catch.hpp"

namespace {

using namespace outbox::testing;
using outbox::Event;
using Relay = Driver<outbox::sqlite::Adapter, outbox::sqlite::Config>;

// The number of steps of SQLite's virtual machine in all connections, since it was last set to 0. The tests run in one
// thread.
long long steps = 0;

int CountSteps(unsigned, void*, void* statement, void*) {
  steps += sqlite3_stmt_status(static_cast<sqlite3_stmt*>(statement), SQLITE_STMTSTATUS_VM_STEP, 1);
  return 0;
}

int CountStepsOf(sqlite3* connection, char**, const sqlite3_api_routines*) {
  return sqlite3_trace_v2(connection, SQLITE_TRACE_PROFILE, CountSteps, nullptr);
}

class File {
 public:
  File() {
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(CountStepsOf));
    std::string name = (std::filesystem::temp_directory_path() / "outbox-cost-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    path_ = folder_ / "outbox.db";
    Relay(Config()).writing().ApplySchema({});
    REQUIRE(sqlite3_open(path_.c_str(), &application_) == SQLITE_OK);
  }
  ~File() {
    sqlite3_close(application_);
    sqlite3_reset_auto_extension();
    std::filesystem::remove_all(folder_);
  }
  File(const File&) = delete;
  [[nodiscard]] std::shared_ptr<outbox::sqlite::Config> Config() const {
    return std::make_shared<outbox::sqlite::Config>(R"({"path": ")" + path_.string() + "\"}", nullptr);
  }
  // Runs SQL as the application, and returns the first value of the last row.
  std::string operator()(const std::string& sql) {
    std::string value;
    const auto take = [](void* self, int, char** values, char**) {
      *static_cast<std::string*>(self) = values[0] != nullptr ? values[0] : "";
      return 0;
    };
    char* text = nullptr;
    sqlite3_exec(application_, sql.c_str(), take, &value, &text);
    const std::string message = text != nullptr ? text : "";
    sqlite3_free(text);
    INFO(sql);
    REQUIRE(message == "");
    return value;
  }

 private:
  std::filesystem::path folder_, path_;
  sqlite3* application_ = nullptr;
};

// SQL that fills the tables: the oldest 2 000 rows have failed, and 95 000 further failures belong to deleted rows.
// Some failures are due.
constexpr const char* kFill = R"(
pragma synchronous = off;
begin;
delete from outbox_event; delete from outbox_retry; delete from outbox_dead;
with recursive n (i) as (select 1 union all select i + 1 from n where i < [rows])
  insert into outbox_event (id, topic, aggregate_id, event_type, payload) select i, 't', 'k' || i, 'n', '{}' from n;
insert into outbox_retry (row_id, event_id, aggregate_id, attempts, next_try, first_failed, last_failed, reason, error)
  select id, event_id, aggregate_id, 1,
    1000 * (unixepoch() + case when id % 10 = 0 then -id else 86400 end), '', '', 'r', 'e'
  from outbox_event where id <= 2000;
with recursive n (i) as (select 1 union all select i + 1 from n where i < 95000)
  insert into outbox_retry (row_id, event_id, aggregate_id, attempts, next_try, first_failed, last_failed, reason, error)
  select -i, hex(randomblob(16)), 'x' || i % 1000, 1, 1000 * (unixepoch() + 86400), '', '', 'r', 'e' from n;
with recursive n (i) as (select 1 union all select i + 1 from n where i < 100000)
  insert into outbox_dead (row_id, event_id, topic, aggregate_id, event_type, payload, created_at, attempts, first_failed,
    died_at, reason, error)
  select -i, hex(randomblob(16)), 't', 'x' || i, 'n', '{}', '', 1, '', '', 'r', 'e' from n;
commit)";

// Measures the calls of a relay that has read past the failed rows, with batches of `batch` events.
Cost Measure(File& file, std::uint32_t batch) {
  Relay relay(file.Config());
  relay.Heartbeat();
  (void)relay.Reserve(1000, 64 << 20, true);
  (void)relay.Reserve(1000);
  Cost cost;
  const auto measured = [&](const std::string& name, const std::function<void()>& call) {
    steps = 0;
    call();
    cost[name] = steps;
    CHECK(steps > 0);
  };
  MeasureCalls(relay, batch, measured);
  file("delete from outbox_relay");
  return cost;
}

TEST_CASE("the cost of a statement does not grow with the tables", "[b95]") {
  File file;
  const auto fill = [&](long long rows) { file(outbox::sql::Fill(kFill, {{"[rows]", std::to_string(rows)}})); };
  Costs costs = MeasureSizes(fill, [&](std::uint32_t batch) { return Measure(file, batch); });
  // A step of a rescan reads at most 20 000 rows.
  CheckGrowth(costs, "no statistics", {.unit = "steps", .slack = 100, .for_event = 500, .for_call = 2'000'000});
}

TEST_CASE("every event that the outbox can hold can be recorded as failed", "[b106]") {
  File file;
  Relay relay(file.Config());
  std::string key;
  for (int i = 0; i < 12'800; ++i) key += static_cast<char>('!' + (i * 7919 % 94));
  for (const std::string& each : {key, std::string("trailing   "), std::string()})
    relay.Emit({Event{{}, {}, each, each, each, each, {}}, Event{{}, {}, each, each, each, each, {}}});
  CheckAllCanFail(relay, 3, file);
}

}  // namespace
