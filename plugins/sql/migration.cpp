#include "sql/migration.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <thread>

#include "sql/sql_template.hpp"

namespace outbox::sql {
namespace {

constexpr std::uint32_t kMaxShards = 256;

// A change of the number of shards assigns events to other shards, so no earlier token may stay valid.
constexpr const char* kFreeShards = "update {shard} set owner = null, state = 'free', token = token + 1";
constexpr const char* kSetShards = "update {meta} set shards = [shards]";

void Append(std::vector<Step>& steps, std::vector<Step> more) {
  std::move(more.begin(), more.end(), std::back_inserter(steps));
}

}  // namespace

void CheckOptions(const MigrationDialect& dialect, const SchemaOptions& options) {
  const auto& payloads = dialect.payloads;
  if (!options.payload.empty() && std::find(payloads.begin(), payloads.end(), options.payload) == payloads.end())
    throw Error(OUTBOX_BAD_CONFIG, Fill(dialect.other_payload, {{"[payload]", options.payload}}));
  if (options.shards > kMaxShards)
    throw Error(OUTBOX_BAD_CONFIG, "at most " + std::to_string(kMaxShards) + " shards are possible");
}

std::string Filled(const Tables& t, const SchemaOptions& options, std::string_view sql) {
  return t.In(Fill(sql, {{"[name]", t.event_name},
                         {"[version]", std::to_string(kSchemaVersion)},
                         {"[shards]", std::to_string(std::max(1U, options.shards))}}));
}

std::string RecordVersion(const MigrationDialect& dialect) {
  return Fill("update {meta} set version = [version], outbox = '[name]' where version < [version] or [other owner]",
              {{"[other owner]", dialect.other_owner}});
}

std::vector<std::string> PrintedRows(const MigrationDialect& dialect, const SchemaOptions& options) {
  std::vector<std::string> rows{std::string(dialect.first_meta)};
  if (options.shards > 0)
    rows.insert(rows.end(), {std::string("-- Only while no relay runs:\n") + kFreeShards, kSetShards});
  rows.insert(rows.end(), {std::string(kDropShards), std::string(dialect.add_shards)});
  return rows;
}

std::string Script(const std::vector<std::string>& statements) {
  std::string script;
  for (const std::string& sql : statements) script += sql + ";\n";
  return script;
}

Meta Migration::ReadMeta(const FoundTables& found) {
  const auto table = found.find(t_.prefix + "_meta");
  if (table == found.end()) return {};
  const std::string outbox = table->second.columns.contains("outbox") ? "outbox" : "null";
  const Rows rows = db_.Run({t_.In("select version, shards, " + outbox + " from {meta}"), {}});
  if (rows.empty()) return {};
  return {ToNumber(rows[0][0]), ToNumber(rows[0][1]), rows[0][2]};
}

Migration::Existing Migration::Look() {
  CheckOptions(dialect_, options_);
  Existing now{Find(db_, t_, NamesOf(t_), catalogue_), {}};
  const std::vector<Table> wanted = Wanted(now.found);
  RequireOutbox(t_, wanted.front(), now.found, dialect_.is_id);
  RequireCompanions(t_, wanted, now.found);
  now.meta = ReadMeta(now.found);
  if (now.meta.version == 0) return now;
  RequireKnownVersion(now.meta);
  const bool ignore_case = catalogue_.ignore_case;
  std::vector<std::string> others;
  for (const auto& [name, table] : Find(db_, t_, Rivals(t_, now.meta.outbox, ignore_case), catalogue_))
    if (LooksLikeOutbox(table)) others.push_back(name);
  RequireFree(t_, now.meta, others, ignore_case);
  return now;
}

Migration::Steps Migration::AllSteps() {
  Existing now = Look();
  const Meta& meta = now.meta;
  Steps steps;
  steps.before = Before(now);
  Append(steps.before, TableSteps(t_, Wanted(now.found), now.found, dialect_.changes));
  steps.before.push_back({"", {In(dialect_.first_meta)}});
  if (options_.shards > 0 && meta.shards > 0 && meta.shards != options_.shards)
    steps.shards =
        "change the number of shards from " + std::to_string(meta.shards) + " to " + std::to_string(options_.shards);
  steps.after = After(now);
  steps.after.push_back({meta.version > 0 && meta.version < kSchemaVersion
                             ? "record version " + std::to_string(kSchemaVersion) + " in " + t_.prefix + "_meta"
                             : "",
                         {In(RecordVersion(dialect_))}});
  return steps;
}

std::vector<std::string> Migration::Plan() {
  Steps steps = AllSteps();
  steps.before.push_back({steps.shards, {}});
  Append(steps.before, std::move(steps.after));
  std::vector<std::string> phrases;
  for (const Step& step : steps.before)
    if (!step.what.empty()) phrases.push_back(step.what);
  return phrases;
}

void Migration::Apply() {
  const Steps steps = AllSteps();
  for (const Step& step : steps.before) Change(step.sql);
  Change(ShardStatements());
  for (const Step& step : steps.after) Change(step.sql);
}

std::vector<std::string> Migration::ShardStatements() {
  std::vector<std::string> statements{In(kDropShards), In(dialect_.add_shards)};
  if (options_.shards == 0 || ToNumber(db_.Run({t_.In("select shards from {meta}"), {}}).at(0)[0]) == options_.shards)
    return statements;
  const Rows live = db_.Run({fragments_.In(t_, "select relay_id from {relay} where expires > [now]"), {}});
  if (!live.empty())
    throw Error(OUTBOX_BAD_CONFIG, "the number of shards changes only while no relay runs; stop '" + *live[0][0] +
                                       "' (or wait until its lease has expired) and run migrate again");
  statements.insert(statements.begin(), {In(kFreeShards), In(kSetShards)});
  return statements;
}

namespace {

// Returns true if the error means that a lock was not obtained.
// PostgreSQL: 55P03 lock_not_available, 40P01 deadlock_detected.
// MySQL: 1205 ER_LOCK_WAIT_TIMEOUT, 1213 ER_LOCK_DEADLOCK.
bool IsLockWait(const Error& error) {
  return error.sqlstate == "55P03" || error.sqlstate == "40P01" || error.native_code == 1205 ||
         error.native_code == 1213;
}

}  // namespace

void TryForLocks(Millis timeout, const std::function<void()>& change, const std::function<std::string()>& blocker) {
  constexpr Millis kPause{500};
  const auto begun = std::chrono::steady_clock::now();
  for (int tries = 1;; ++tries) {
    try {
      return change();
    } catch (const Error& error) {
      if (!IsLockWait(error)) throw;
      const auto elapsed = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begun);
      if (elapsed > timeout * 3 / 4)
        throw Error(OUTBOX_TIMEOUT,
                    "the tables are locked by other transactions: " + std::to_string(tries) + " attempts in " +
                        std::to_string(elapsed.count()) + " ms, each short so that nothing else has to wait for it. " +
                        blocker() + "Run migrate again when these transactions have ended",
                    error.sqlstate, error.native_code);
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace outbox::sql
