#include "postgres/visibility.hpp"

#include <algorithm>

namespace outbox::postgres {
namespace {

// Distance in row ids. A transaction is watched only if it may have drawn row ids more than kFar below the cursor. For a
// smaller distance, reading that range again costs less than the second read that is necessary when a watched
// transaction ends.
constexpr long long kFar = 20'000;

// Returns true if pg_locks shows the transaction as a prepared one, without its session. It does so for every prepared
// transaction after a restart of the server, and in some versions as soon as a transaction has been prepared. So the
// locker may be any of the transactions that are no longer listed.
bool IsPrepared(const Locker& locker) { return locker.transaction.starts_with("-1/"); }

}  // namespace

void Visibility::Settle(long long drawn, const std::vector<Locker>& lockers) {
  settled_ = std::min(settled_, drawn);  // the sequence may have been set to a lower value
  drawn_ = drawn;
  settling_.clear();
  for (const Locker& locker : lockers) settling_.insert(locker.transaction);
  if (settling_.empty()) settled_ = drawn_;
}

std::vector<std::uint64_t> Visibility::Watched() const {
  std::vector<std::uint64_t> xids;
  for (const auto& [transaction, seen] : lockers_)
    if (seen.watched) xids.push_back(seen.xid);
  return xids;
}

long long Visibility::Lowest(bool also_watched) const {
  long long lowest = cursor_;
  for (const auto& [transaction, seen] : lockers_)
    if (also_watched || !seen.watched) lowest = std::min(lowest, seen.barrier);
  return lowest;
}

long long Visibility::PassWhole(long long low, long long cursor) const { return low >= missing_ ? cursor : low; }

void Visibility::Advance(long long cursor, long long missing, const std::vector<Locker>& lockers) {
  missing_ = std::max(missing_, missing);
  low_ = PassWhole(std::max({low_, clear_, std::min(settled_, cursor)}), cursor);
  gap_low_ = PassWhole(std::max({gap_low_, gap_clear_, low_}), cursor);

  std::map<std::string, Seen> now;
  for (const Locker& locker : lockers) {
    const auto known = lockers_.find(locker.transaction);
    // A transaction that was not listed before has taken its lock since the previous list was made, so it draws ids
    // above all ids that had been read by then.
    Seen seen = known != lockers_.end() ? known->second : Seen{IsPrepared(locker) ? low_ : cursor_, 0, false};
    if (settling() && IsPrepared(locker)) settling_.insert(locker.transaction);
    if (locker.xid != 0) seen.xid = locker.xid;
    now.emplace(locker.transaction, seen);
  }
  const bool ended = std::any_of(lockers_.begin(), lockers_.end(),
                                 [&](const auto& old) { return old.second.watched && !now.contains(old.first); });
  if (std::erase_if(settling_, [&](const auto& open) { return !now.contains(open); }) > 0 && !settling())
    settled_ = drawn_;
  lockers_ = std::move(now);
  cursor_ = cursor;
  // The watched transaction that has ended may have committed after the snapshot of this read. So the next read covers
  // the range of that transaction, no matter which other transactions are open.
  if (ended) Resume();
  clear_ = Lowest(true);
  if (ended) return;
  for (auto& [transaction, seen] : lockers_)
    if (seen.xid != 0 && seen.barrier < cursor_ - kFar) seen.watched = true;
  gap_clear_ = Lowest(false);
}

// The listed transactions are forgotten, because open transactions draw ids above all ids that were read or are stable.
void Visibility::AdvanceWhole(long long cursor) {
  lockers_.clear();
  low_ = gap_low_ = cursor_ = cursor;
}

void Visibility::Resume() {
  for (auto& [transaction, seen] : lockers_) seen.watched = false;
  gap_low_ = gap_clear_ = low_;
}

}  // namespace outbox::postgres
