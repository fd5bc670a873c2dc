#include "sqlite/confirm.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <tuple>

#include "outbox/text.hpp"
#include "sql/removal.hpp"
#include "sql/row_id.hpp"
#include "sql/sql_template.hpp"
#include "sqlite/time.hpp"

namespace outbox::sqlite {
namespace {

// Of the write lock; writing to the disk comes on top.
constexpr auto kMaxDelete = std::chrono::milliseconds(10);
constexpr std::size_t kRowsPerStep = 16;
// The lock is not queued for: those who wait try again now and then, and would never find it free.
constexpr auto kTurnOfOthers = std::chrono::milliseconds(2);
constexpr std::size_t kMaxError = 1000;

constexpr const char* kOne = "delete from {event} where id between ?1 and ?1 and [event id] = ?2";
constexpr const char* kForget = R"(
delete from {retry} where row_id = ?1 and (event_id is null or event_id = ?2))";
constexpr const char* kStillThere = "select 1 from {event} where id = ?1 and [event id] = ?2";
constexpr const char* kDue = R"(
select cast(row_id as text), event_id from {retry} where remove_at <= [now] order by remove_at limit 500)";
constexpr const char* kNamed = R"(
select cast(row_id as text), event_id from {retry} where row_id = :id and remove_at is not null)";
constexpr const char* kPostpone = R"(
update {retry} set remove_at = [now] + cast(:again as integer), attempts = attempts + 1, last_failed = [people],
  error = :why
where row_id = cast(:id as integer) and event_id = :event and remove_at is not null)";

std::string In(const sql::Tables& tables, const char* sql) {
  return tables.In(sql::Fill(sql, {{"[event id]", kEventId}, {"[now]", kNow}, {"[people]", kPeoplesNow}}));
}

// One range, and in it each id with its own event id.
std::string Several() {
  std::string which;
  for (std::size_t i = 0; i < kRowsPerStep; ++i)
    which += " when " + std::to_string(i) + " then ?" + std::to_string(i + 3);
  return "delete from {event} where id between ?1 and ?2 and [event id] = case id - ?1" + which + " end";
}

// A trigger that names what is not there; SQLite compiles it with the statement.
bool IsOfATrigger(const Error& error, const sql::Tables& tables) {
  const std::string_view text = error.what();
  const auto says = [text](const std::string& part) { return text.find(part) != std::string_view::npos; };
  if ((error.native_code & 0xFF) != SQLITE_ERROR) return false;
  if (says("no such function: ") || says("no such column: OLD.") || says("no such column: NEW.")) return true;
  const auto ours = [&](const std::string& quoted) {
    return says("no such table: main." + quoted.substr(1, quoted.size() - 2) + " ");
  };
  return says("no such table: main.") && !ours(tables.event) && !ours(tables.retry);
}

bool IsRefusal(const Error& error, const sql::Tables& tables) {
  switch (error.native_code & 0xFF) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return true;
    default:
      return IsOfATrigger(error, tables);
  }
}

// While it lives, commits of this connection do not wait for the disk (docs/design/decisions/0018). Only in WAL mode: in other
// modes less synchronising may damage the file.
class WithoutWaitForDisk {
 public:
  explicit WithoutWaitForDisk(Connection& connection) : connection_(connection) {
    if (connection.Run({"select journal_mode from pragma_journal_mode", {}}).at(0)[0] != "wal") return;
    before_ = connection.Run({"select cast(synchronous as text) from pragma_synchronous", {}}).at(0)[0];
    connection.Script("pragma synchronous = normal");
  }
  ~WithoutWaitForDisk() {
    if (!before_) return;
    try {
      connection_.Script("pragma synchronous = " + *before_);
    } catch (const Error&) {  // no memory: the next call of this connection fails as well
    }
  }
  WithoutWaitForDisk(const WithoutWaitForDisk&) = delete;

 private:
  Connection& connection_;
  sql::Value before_;
};

}  // namespace

Confirmation::Confirmation(Connection& connection, const sql::Tables& tables)
    : connection_(connection),
      tables_(tables),
      one_(connection, In(tables, kOne)),
      several_(connection, In(tables, Several().c_str())),
      forget_(connection, In(tables, kForget)),
      troubled_(connection, In(tables, "select 1 from {retry} limit 1")),
      still_there_(connection, In(tables, kStillThere)) {}

void Confirmation::Confirm(ConfirmedRows rows, KeptRows& kept) {
  std::vector<Row> sorted;
  sorted.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (const auto id = sql::ParseId(rows[i].row_id)) sorted.push_back({*id, rows[i].event_id, i});
  std::sort(sorted.begin(), sorted.end(), [](const Row& a, const Row& b) { return a.id < b.id; });
  const WithoutWaitForDisk without_wait(connection_);
  Delete(sorted, true);
  for (const Row& row : sorted)
    if (row.kept) kept.Add(row.place);
}

void Confirmation::Delete(std::span<Row> rows, bool forgets) {
  try {
    while (!rows.empty()) {
      const std::span<Row> some = rows.first(DeleteSome(rows, forgets));
      rows = rows.subspan(some.size());
      // What was not there then was another relay's, was deleted by hand, or is there in spite of its delete.
      for (Row& row : some) {
        if (!row.kept) continue;
        row.kept = still_there_.Bind(row.id, row.event_id).Step();
        still_there_.Reset();
      }
      if (!rows.empty()) std::this_thread::sleep_for(kTurnOfOthers);
    }
  } catch (const Error& error) {
    throw Judged(error, tables_);
  }
}

Error Confirmation::Judged(const Error& error, const sql::Tables& tables) {
  if (!IsRefusal(error, tables)) return error;
  std::string text = error.what();
  if (const auto hint = text.find(std::string("; ") + sql::kMigrate); hint != std::string::npos) text.resize(hint);
  return {OUTBOX_REFUSED, text, error.sqlstate, error.native_code};
}

// Returns how many. The application's writers wait for the end of the transaction, so it is a short one, however many
// rows there are and however large. `kept` is set for those that may still be there.
std::size_t Confirmation::DeleteSome(std::span<Row> rows, bool forgets) {
  Transaction transaction(connection_);
  const auto begun = std::chrono::steady_clock::now();
  std::size_t done = 0;
  while (done < rows.size() && std::chrono::steady_clock::now() - begun < kMaxDelete) {
    // Ids without a hole between them go in one step, at half the cost.
    std::size_t next = done + 1;
    while (next < rows.size() && next - done < kRowsPerStep && rows[next].id == rows[next - 1].id + 1) ++next;
    const std::span<Row> step = rows.subspan(done, next - done);
    const bool all = DeleteTogether(step) >= static_cast<int>(step.size());
    for (Row& row : step) row.kept = !all;
    done = next;
  }
  const bool troubled = forgets && troubled_.Bind().Step();
  troubled_.Reset();
  if (troubled)
    for (const Row& row : rows.first(done)) forget_.Bind(row.id, row.event_id).Execute();
  transaction.Commit();
  return done;
}

int Confirmation::DeleteTogether(std::span<const Row> rows) {
  if (rows.size() == 1) {
    one_.Bind(rows[0].id, rows[0].event_id).Execute();
  } else {
    // Those beyond the range are asked for by nothing.
    std::array<std::string_view, kRowsPerStep> ids{};
    for (std::size_t i = 0; i < rows.size(); ++i) ids[i] = rows[i].event_id;
    std::apply([&](const auto&... id) { several_.Bind(rows.front().id, rows.back().id, id...).Execute(); }, ids);
  }
  return sqlite3_changes(connection_.raw());
}

std::uint64_t Confirmation::RemoveDelivered(RowIds rows, Millis again) {
  std::vector<sql::DeliveredRow> due;
  const auto add = [&due](const sql::Rows& found) {
    for (const sql::Row& row : found) due.push_back({sql::ToNumber(row[0]), row[1].value_or("")});
  };
  if (rows.empty()) add(connection_.Run({In(tables_, kDue), {}}));
  for (const std::string_view row : rows)
    if (const auto id = sql::ParseId(row)) add(connection_.Run({In(tables_, kNamed), {std::to_string(*id)}}));
  std::sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.id < b.id; });

  sql::RemovalSteps steps;
  steps.remove = [this](sql::RemovalSteps::Rows some) {
    std::vector<Row> these;
    for (const sql::DeliveredRow& row : some) these.push_back({row.id, row.event_id, 0});
    Delete(these, false);
    std::vector<std::uint8_t> kept;
    for (const Row& row : these) {
      // Also where a trigger has put it back.
      kept.push_back(still_there_.Bind(row.id, row.event_id).Step() ? 1 : 0);
      still_there_.Reset();
    }
    return kept;
  };
  steps.forget = [this](sql::RemovalSteps::Rows some) {
    Transaction transaction(connection_);
    for (const sql::DeliveredRow& row : some) forget_.Bind(row.id, std::string_view(row.event_id)).Execute();
    transaction.Commit();
  };
  steps.postpone = [this, again](sql::RemovalSteps::Rows some, const std::string& why) {
    Transaction transaction(connection_);
    for (const sql::DeliveredRow& row : some)
      (void)connection_.Run(
          {In(tables_, kPostpone),
           {std::to_string(again.count()), ToText(why, kMaxError), std::to_string(row.id), row.event_id}});
    transaction.Commit();
  };
  steps.has_time = [this] { return !connection_.PastHalf(); };
  return sql::RemoveDelivered(due, steps);
}

}  // namespace outbox::sqlite
