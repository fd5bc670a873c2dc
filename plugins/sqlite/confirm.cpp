#include "sqlite/confirm.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <thread>
#include <tuple>

#include "sql/sql_template.hpp"
#include "sqlite/dialect.hpp"

namespace outbox::sqlite {
namespace {

// Time after which a transaction that holds the write lock deletes no further row. The commit, which writes to the
// disk, takes additional time.
constexpr auto kMaxDelete = std::chrono::milliseconds(10);
constexpr std::size_t kRowsPerStep = 16;
// Pause between two transactions of one call. SQLite has no queue for the write lock: other connections that wait for
// the lock try again from time to time, and without a pause would never find it free.
constexpr auto kTurnOfOthers = std::chrono::milliseconds(2);

constexpr const char* kOne = "delete from {event} where id between ?1 and ?1 and [event id] = ?2";
constexpr const char* kForget = R"(
delete from {retry} where row_id = ?1 and (event_id is null or event_id = ?2))";
constexpr const char* kStillThere = "select 1 from {event} where id = ?1 and [event id] = ?2";

std::string In(const sql::Tables& tables, const char* sql) {
  return tables.In(sql::Fill(sql, {{"[event id]", kEventId}}));
}

// Returns a DELETE statement for one range of ids. The statement compares the event id of each row with the parameter
// that belongs to the row's id.
std::string Several() {
  std::string which;
  for (std::size_t i = 0; i < kRowsPerStep; ++i)
    which += " when " + std::to_string(i) + " then ?" + std::to_string(i + 3);
  return "delete from {event} where id between ?1 and ?2 and [event id] = case id - ?1" + which + " end";
}

// Returns true if the cause of the error is a trigger that names something that does not exist. SQLite compiles a
// trigger together with the statement that fires it.
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

// While an object of this class exists, commits of the connection do not wait for the disk
// (docs/design/decisions/0018). This applies in WAL mode only, because in other modes less synchronising may damage the
// file.
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
    } catch (const Error&) {  // there is no memory left, so the next call of this connection fails as well
    }
  }
  WithoutWaitForDisk(const WithoutWaitForDisk&) = delete;

 private:
  Connection& connection_;
  sql::Value before_;
};

}  // namespace

Confirmation::Confirmation(Connection& connection, const sql::Tables& tables)
    : sql::Confirmation(connection, tables, Dialect()),
      connection_(connection),
      tables_(tables),
      one_(connection, In(tables, kOne)),
      several_(connection, In(tables, Several().c_str())),
      forget_(connection, In(tables, kForget)),
      troubled_(connection, In(tables, "select 1 from {retry} limit 1")),
      still_there_(connection, In(tables, kStillThere)) {}

Confirmation::Kept Confirmation::Delete(Rows rows, For what) {
  const bool confirms = what == For::kConfirm;
  std::optional<WithoutWaitForDisk> without_wait;
  if (confirms) without_wait.emplace(connection_);
  Kept kept(rows.size(), 0);
  try {
    for (std::size_t done = 0; done < rows.size();) {
      const std::size_t some = DeleteSome(rows.subspan(done), what, std::span(kept).subspan(done));
      for (std::size_t i = done; i < done + some; ++i) {
        if (confirms && kept[i] == 0) continue;
        kept[i] = still_there_.Bind(rows[i].id, rows[i].event_id).Step() ? 1 : 0;
        still_there_.Reset();
      }
      done += some;
      if (done < rows.size()) std::this_thread::sleep_for(kTurnOfOthers);
    }
  } catch (const Error& error) {
    throw Judged(error, tables_);
  }
  return kept;
}

Error Confirmation::Judged(const Error& error, const sql::Tables& tables) {
  if (!IsRefusal(error, tables)) return error;
  std::string text = error.what();
  if (const auto hint = text.find(std::string("; ") + sql::kMigrate); hint != std::string::npos) text.resize(hint);
  return {OUTBOX_REFUSED, text, error.sqlstate, error.native_code};
}

// Deletes rows in one transaction. Writers of the application wait until the transaction ends, so its time is limited,
// whatever the number and the size of the rows.
std::size_t Confirmation::DeleteSome(Rows rows, For what, std::span<std::uint8_t> kept) {
  Transaction transaction(connection_);
  const auto begun = std::chrono::steady_clock::now();
  std::size_t done = 0;
  while (done < rows.size() && std::chrono::steady_clock::now() - begun < kMaxDelete) {
    // Rows with consecutive ids are deleted in one step, which halves the cost.
    std::size_t next = done + 1;
    while (next < rows.size() && next - done < kRowsPerStep && rows[next].id == rows[next - 1].id + 1) ++next;
    const Rows step = rows.subspan(done, next - done);
    const bool all = DeleteTogether(step) >= static_cast<int>(step.size());
    for (; done < next; ++done) kept[done] = all ? 0 : 1;
  }
  const bool troubled = what == For::kConfirm && troubled_.Bind().Step();
  troubled_.Reset();
  if (troubled)
    for (const sql::OutboxRow& row : rows.first(done)) forget_.Bind(row.id, row.event_id).Execute();
  transaction.Commit();
  return done;
}

int Confirmation::DeleteTogether(Rows rows) {
  if (rows.size() == 1) {
    one_.Bind(rows[0].id, rows[0].event_id).Execute();
  } else {
    // The parameters behind the last event id stay empty, and no row of the range is compared with them.
    std::array<std::string_view, kRowsPerStep> ids{};
    for (std::size_t i = 0; i < rows.size(); ++i) ids[i] = rows[i].event_id;
    std::apply([&](const auto&... id) { several_.Bind(rows.front().id, rows.back().id, id...).Execute(); }, ids);
  }
  return sqlite3_changes(connection_.raw());
}

}  // namespace outbox::sqlite
