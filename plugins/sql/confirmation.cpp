#include "sql/confirmation.hpp"

#include <algorithm>

#include "outbox/text.hpp"
#include "sql/sql_template.hpp"

namespace outbox::sql {
namespace {

constexpr std::size_t kMaxError = 1000;
constexpr std::size_t kMaxDue = 500;  // maximum number of rows whose removal one call of a relay tries again
constexpr std::size_t kPerStatement = 500;
constexpr const char* kLeftInPlace = "the DELETE succeeded, but the row is still there";

constexpr const char* kDue = R"(
select cast(row_id as [text]), cast(event_id as [text]) from {retry} where remove_at <= [now] order by remove_at [limit])";
constexpr const char* kNamed = R"(
select cast(row_id as [text]), cast(event_id as [text]) from {retry}
where row_id in ([ids]) and remove_at is not null order by row_id)";
constexpr const char* kForget = "delete from {retry} where [these]";
constexpr const char* kPostpone = R"(
update {retry} set remove_at = [later], attempts = attempts + 1, last_failed = [stamp], error = :why where [these])";
// Condition that selects many records in one statement, because hundreds of single statements would exceed the time
// limit of the call. The rows are found by their ids alone. The event id of each row is then compared with the expected
// one: :event becomes a CASE over the ids.
constexpr const char* kThese = "row_id in ([ids]) and event_id = [event id] and remove_at is not null";

bool Below(const OutboxRow& a, const OutboxRow& b) { return a.id < b.id; }

}  // namespace

void Confirmation::Confirm(ConfirmedRows rows, KeptRows& kept) {
  struct Placed {
    OutboxRow row;
    std::size_t place;
  };
  std::vector<Placed> placed;
  placed.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) placed.push_back({{rows[i].row_id.number(), rows[i].event_id}, i});
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return Below(a.row, b.row); });
  std::vector<OutboxRow> sorted;
  sorted.reserve(placed.size());
  for (const Placed& one : placed) sorted.push_back(one.row);
  const Kept still_there = Delete(sorted, For::kConfirm);
  for (std::size_t i = 0; i < still_there.size(); ++i)
    if (still_there[i] != 0) kept.Add(placed[i].place);
}

Confirmation::Kept Confirmation::StillThere(Rows rows, std::span<const long long> found) {
  Kept kept(rows.size(), 0);
  for (const long long id : found) {
    const auto at = std::lower_bound(rows.begin(), rows.end(), OutboxRow{id, {}}, Below);
    if (at != rows.end()) kept[static_cast<std::size_t>(at - rows.begin())] = 1;
  }
  return kept;
}

std::uint64_t Confirmation::RemoveDelivered(RowIds rows, Millis again) {
  const std::vector<long long> ids = SortedIds(rows);
  if (rows.size() > 0 && ids.empty()) return 0;
  const std::string sql =
      Fill(ids.empty() ? kDue : kNamed, {{"[ids]", Listed(ids)}, {"[limit]", dialect_.limit(std::to_string(kMaxDue))}});
  const sql::Rows found = db_.Run({dialect_.In(tables_, sql), {}});
  std::vector<OutboxRow> due;
  for (const Row& row : found)
    due.push_back({ToNumber(row[0]), row[1] ? std::string_view(*row[1]) : std::string_view()});
  std::sort(due.begin(), due.end(), Below);
  return Remove(due, ids.empty() ? For::kRelaysRemoval : For::kOperatorsRemoval, again);
}

std::uint64_t Confirmation::Remove(Rows rows, For what, Millis again) {
  if (rows.empty() || db_.PastHalf()) return 0;
  Kept kept;
  try {
    kept = Delete(rows, what);
  } catch (const Error& error) {
    if (error.code != OUTBOX_REFUSED) throw;
    if (rows.size() == 1) {
      Postpone(rows, again, error.what());
      return 0;
    }
    const std::size_t half = rows.size() / 2;
    const std::uint64_t first = Remove(rows.first(half), what, again);
    return first + Remove(rows.subspan(half), what, again);
  }
  std::vector<OutboxRow> gone, there;
  for (std::size_t i = 0; i < rows.size(); ++i) (kept[i] == 0 ? gone : there).push_back(rows[i]);
  if (!gone.empty()) Forget(gone);
  if (!there.empty()) Postpone(there, again, kLeftInPlace);
  return gone.size();
}

void Confirmation::Forget(Rows rows) { Change(kForget, rows, {}); }

void Confirmation::Postpone(Rows rows, Millis again, const std::string& why) {
  Change(kPostpone, rows, {std::to_string(again.count()), ToText(why, kMaxError)});
}

void Confirmation::Change(const char* sql, Rows rows, const std::vector<Value>& values) {
  std::vector<Statement> steps;
  for (std::size_t first = 0; first < rows.size(); first += kPerStatement) {
    Statement step{"", values};
    std::vector<long long> ids;
    std::string event = "case row_id";
    for (const OutboxRow& row : rows.subspan(first, std::min(kPerStatement, rows.size() - first))) {
      event += " when " + std::to_string(row.id) + " then :e" + std::to_string(ids.size());
      ids.push_back(row.id);
      step.values.emplace_back(row.event_id);
    }
    step.sql = Fill(dialect_.In(tables_, Fill(sql, {{"[these]", kThese}})),
                    {{"[ids]", Listed(ids)}, {":event", event + " end"}});
    steps.push_back(std::move(step));
  }
  (void)db_.RunTogether(steps);
}

}  // namespace outbox::sql
