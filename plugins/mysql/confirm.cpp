#include "mysql/confirm.hpp"

#include <algorithm>

#include "mysql/dialect.hpp"
#include "mysql/errors.hpp"
#include "mysql/list.hpp"

namespace outbox::mysql {
namespace {

// Time for which a delete waits for a row that another transaction has locked. After this time, the other rows of the
// same confirm are deleted without the locked one.
constexpr std::chrono::seconds kLockWait{2};
// Maximum number of ids in `locked_`. When it is exceeded, all ids are removed.
constexpr std::size_t kMaxLocked = 10'000;

}  // namespace

Confirmation::Confirmation(Client& client, const sql::Tables& tables, const std::atomic<bool>& troubled)
    : sql::Confirmation(client, tables, Dialect()), client_(client), tables_(tables), troubled_(troubled) {}

Confirmation::Kept Confirmation::Delete(Rows rows, For what) {
  if (what == For::kConfirm) client_.LimitLocks(kLockWait);
  Kept kept;
  for (std::size_t first = 0; first < rows.size(); first += kIdsPerDelete) {
    const Kept some = DeleteSome(rows.subspan(first, std::min(kIdsPerDelete, rows.size() - first)), what);
    kept.insert(kept.end(), some.begin(), some.end());
  }
  return kept;
}

Confirmation::Kept Confirmation::DeleteSome(Rows rows, For what) {
  const auto was_locked = [this](const sql::OutboxRow& row) { return locked_.contains(row.id); };
  try {
    if (what == For::kConfirm && (locked_.empty() || std::none_of(rows.begin(), rows.end(), was_locked))) try {
        if (DeleteAll(rows) >= rows.size()) return Kept(rows.size(), 0);
        return LookFor(rows);
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

std::uint64_t Confirmation::DeleteAll(Rows rows) {
  const bool is_mariadb = client_.server().is_mariadb;
  const std::string remove = DeleteRows(tables_.event, "id", rows, is_mariadb);
  if (!troubled_) return client_.Execute(remove);
  const auto answers = client_.RunTogether(
      {{remove, {}}, {"select row_count()", {}}, {DeleteRows(tables_.retry, "row_id", rows, is_mariadb), {}}});
  return static_cast<std::uint64_t>(std::max(0LL, sql::ToNumber(answers.at(1).at(0).at(0))));
}

Confirmation::Kept Confirmation::DeleteUnlocked(Rows rows, For what) {
  const bool is_mariadb = client_.server().is_mariadb;
  const bool all_deleted = client_.Execute(DeleteUnlockedRows(tables_.event, "id", rows, is_mariadb)) >= rows.size();
  Kept still_there = LookFor(rows);
  std::vector<sql::OutboxRow> gone;
  if (locked_.size() > kMaxLocked) locked_.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (still_there[i] == 0)
      gone.push_back(rows[i]);
    else if (!all_deleted)
      locked_.insert(rows[i].id);
  }
  if (rows.size() == 1) locked_.erase(rows.front().id);
  if (!gone.empty() && what == For::kConfirm && troubled_)
    client_.Execute(DeleteRows(tables_.retry, "row_id", gone, is_mariadb));
  // If the server has reported all rows as deleted, a row that exists now was inserted again by somebody.
  if (all_deleted || gone.size() == rows.size()) return still_there;
  // The message cannot name the transaction that holds the lock, because an ordinary user lacks the privilege to find
  // it.
  throw Error(OUTBOX_REFUSED,
              "MySQL: the row is locked by another transaction; the open transactions are in "
              "information_schema.innodb_trx",
              "", kLockTimeout);
}

void Confirmation::Forget(Rows rows) {
  client_.Execute(DeleteRows(tables_.retry, "row_id", rows, client_.server().is_mariadb) +
                  " where e.remove_at is not null");
}

Confirmation::Kept Confirmation::LookFor(Rows rows) {
  const std::string look = "select e.id from " + JoinedByRow(rows, tables_.event, "id", client_.server().is_mariadb);
  std::vector<long long> there;
  for (const sql::Row& found : client_.Run({look, {}})) there.push_back(sql::ToNumber(found.at(0)));
  return StillThere(rows, there);
}

}  // namespace outbox::mysql
