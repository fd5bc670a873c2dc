#include "mysql/confirm.hpp"

#include <algorithm>

#include "mysql/errors.hpp"
#include "outbox/text.hpp"
#include "sql/removal.hpp"
#include "sql/row_id.hpp"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

constexpr std::size_t kMaxError = 1000;
// How long a delete may wait for a row that somebody else has locked; the others of its confirm then go without it.
constexpr std::chrono::seconds kLockWait{2};
constexpr std::size_t kMaxLocked = 10'000;
constexpr const char* kDue = R"(
select row_id, event_id from {retry} where remove_at <= sysdate(6) order by remove_at limit 500)";
constexpr const char* kPostpone = R"(
update {retry} set remove_at = date_add(sysdate(6), interval cast(:again as signed) * 1000 microsecond),
  attempts = attempts + 1, last_failed = sysdate(6), error = :why
where row_id in ([ids]) and remove_at is not null)";

}  // namespace

void Confirmation::Confirm(ConfirmedRows rows, KeptRows& kept) {
  client_.LimitLocks(kLockWait);
  struct Placed {
    ListedRow row;
    std::size_t place;
  };
  std::vector<Placed> sorted;
  sorted.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (const auto id = sql::ParseId(rows[i].row_id)) sorted.push_back({{*id, rows[i].event_id}, i});
  // So that two relays that delete the same rows meet them in the same order.
  std::sort(sorted.begin(), sorted.end(), [](const Placed& a, const Placed& b) { return a.row.id < b.row.id; });
  std::vector<ListedRow> list;
  list.reserve(sorted.size());
  for (const Placed& one : sorted) list.push_back(one.row);
  for (std::size_t first = 0; first < list.size(); first += kIdsPerDelete) {
    const auto some = std::span(list).subspan(first, std::min(kIdsPerDelete, list.size() - first));
    const std::vector<std::uint8_t> still_there = Delete(some, Of::kConfirm);
    for (std::size_t i = 0; i < still_there.size(); ++i)
      if (still_there[i] != 0) kept.Add(sorted[first + i].place);
  }
}

std::vector<std::uint8_t> Confirmation::Delete(std::span<const ListedRow> rows, Of what) {
  const auto was_locked = [this](const ListedRow& row) { return locked_.contains(row.id); };
  try {
    if (what == Of::kConfirm && (locked_.empty() || std::none_of(rows.begin(), rows.end(), was_locked))) try {
        if (DeleteAll(rows) >= rows.size()) return std::vector<std::uint8_t>(rows.size(), 0);
        return StillThere(rows);
      } catch (const Error& error) {
        if (error.native_code != kLockTimeout) throw;
      }
    return DeleteUnlocked(rows, what);
  } catch (const Error& error) {
    if (error.code == OUTBOX_REFUSED) throw;
    const bool slow = error.native_code == kStatementTimeout;
    if (!slow && !IsRefusal(tables_, static_cast<unsigned>(error.native_code), client_.failure())) throw;
    throw Error(OUTBOX_REFUSED,
                "MySQL: " + client_.failure() + (slow ? "; something makes the delete slow, such as a trigger" : ""),
                error.sqlstate, error.native_code);
  }
}

std::uint64_t Confirmation::DeleteAll(std::span<const ListedRow> rows) {
  const bool is_mariadb = client_.server().is_mariadb;
  const std::string remove = DeleteRows(tables_.event, "id", rows, is_mariadb);
  if (!troubled_) return client_.Execute(remove);
  const auto answers = client_.RunTogether(
      {{remove, {}}, {"select row_count()", {}}, {DeleteRows(tables_.retry, "row_id", rows, is_mariadb), {}}});
  return static_cast<std::uint64_t>(std::max(0LL, sql::ToNumber(answers.at(1).at(0).at(0))));
}

std::vector<std::uint8_t> Confirmation::DeleteUnlocked(std::span<const ListedRow> rows, Of what) {
  const bool is_mariadb = client_.server().is_mariadb;
  client_.Execute(DeleteUnlockedRows(tables_.event, "id", rows, is_mariadb));
  std::vector<std::uint8_t> still_there = StillThere(rows);
  std::vector<ListedRow> gone;
  if (locked_.size() > kMaxLocked) locked_.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (still_there[i] == 0)
      gone.push_back(rows[i]);
    else
      locked_.insert(rows[i].id);
  }
  if (rows.size() == 1) locked_.erase(rows.front().id);
  if (!gone.empty() && what == Of::kConfirm && troubled_)
    client_.Execute(DeleteRows(tables_.retry, "row_id", gone, is_mariadb));
  if (gone.size() == rows.size()) return still_there;
  // Who it is, an ordinary user may not ask.
  throw Error(OUTBOX_REFUSED,
              "MySQL: the row is locked by another transaction; those that are open are in "
              "information_schema.innodb_trx",
              "", kLockTimeout);
}

// A count that is too small says nothing by itself: another relay may have been quicker, or somebody has deleted a row by
// hand. What a later snapshot still shows is a fact.
std::vector<std::uint8_t> Confirmation::StillThere(std::span<const ListedRow> rows) {
  std::vector<std::uint8_t> kept(rows.size(), 0);
  const std::string look = "select e.id from " + JoinedByRow(rows, tables_.event, "id", client_.server().is_mariadb);
  for (const sql::Row& found : client_.Run({look, {}})) {
    const long long id = sql::ToNumber(found.at(0));
    const auto at = std::lower_bound(rows.begin(), rows.end(), id,
                                     [](const ListedRow& row, long long wanted) { return row.id < wanted; });
    if (at != rows.end()) kept[static_cast<std::size_t>(at - rows.begin())] = 1;
  }
  return kept;
}

std::uint64_t Confirmation::RemoveDelivered(RowIds rows, Millis again) {
  std::vector<long long> named;
  for (const std::string_view row : rows)
    if (const auto id = sql::ParseId(row)) named.push_back(*id);
  if (!rows.empty() && named.empty()) return 0;
  const std::string sql = named.empty() ? tables_.In(kDue)
                                        : "select row_id, event_id from " + tables_.retry + " where row_id in (" +
                                              Listed(named) + ") and remove_at is not null";
  std::vector<sql::DeliveredRow> due;
  for (const sql::Row& row : client_.Run({sql, {}})) due.push_back({sql::ToNumber(row[0]), row[1].value_or("")});
  std::sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.id < b.id; });

  const auto listed = [](sql::RemovalSteps::Rows some) {
    std::vector<ListedRow> list;
    for (const sql::DeliveredRow& row : some) list.push_back({row.id, row.event_id});
    return list;
  };
  sql::RemovalSteps steps;
  steps.remove = [&](sql::RemovalSteps::Rows some) { return Delete(listed(some), Of::kRemoval); };
  steps.forget = [&](sql::RemovalSteps::Rows some) {
    client_.Execute(DeleteRows(tables_.retry, "row_id", listed(some), client_.server().is_mariadb));
  };
  steps.postpone = [&](sql::RemovalSteps::Rows some, const std::string& why) {
    std::vector<long long> ids;
    for (const sql::DeliveredRow& row : some) ids.push_back(row.id);
    (void)client_.Run({tables_.In(sql::Fill(kPostpone, {{"[ids]", Listed(ids)}})),
                       {std::to_string(again.count()), ToText(why, kMaxError)}});
  };
  steps.has_time = [this] { return !client_.PastHalf(); };
  return sql::RemoveDelivered(due, steps);
}

}  // namespace outbox::mysql
