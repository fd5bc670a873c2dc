#include "shard_reader.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace outbox::memory {
namespace {

// Maximum number of rows that one step of a rescan examines.
constexpr std::size_t kMaxRescanned = 1000;

}  // namespace

void ShardReader::Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch) {
  batch.CoveredByShard(call.token);
  // A shard that was lost and gained again is read from its oldest row, because the relay that owned the shard
  // meanwhile may have left rows below the position of this session.
  Position& position = positions_[call.shard];
  if ((request.from_oldest() && !request.rescan()) || position.token != call.token) position = {call.token};
  const auto mine = [&, first_failed = outbox_.FirstFailed()](RowNumber id, const Row& row) {
    const auto first = row.key ? first_failed.find(*row.key) : first_failed.end();
    return outbox_.ShardOf(id, row) == call.shard && (first == first_failed.end() || first->second >= id);
  };
  if (request.rescan())
    Rescan(position, mine, batch);
  else
    ReadOn(position, mine, request, batch);
}

template <class Mine>
void ShardReader::ReadOn(Position& position, Mine mine, const ReserveRequest& request, BatchBuilder& batch) {
  const auto now = Clock::now();
  // Below the position, only failed events can have fallen due since the position passed their rows. They are returned
  // in the order of the times since which they have been due.
  std::vector<std::pair<Clock::time_point, RowNumber>> due;
  for (const auto& [id, failed] : outbox_.failed)
    if (id <= position.id && Outbox::IsDue(failed, now) && mine(id, outbox_.rows.at(id)) && !request.is_outstanding(id))
      due.emplace_back(failed.due, id);
  std::sort(due.begin(), due.end());
  const auto add = [&](RowNumber id) { return batch.Add(ToEvent(id, outbox_.rows.at(id), outbox_.Attempts(id))); };
  const auto retry = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, due.size()); ++i)
      if (!add(due[i].second)) return false;
    return true;
  };
  // Retries fill their share of the batch before the new rows are added. Then they also fill the room that the new rows
  // leave free.
  const std::size_t share = position.shares.ForRetries(request);
  if (!retry(0, share)) return;
  for (auto at = outbox_.rows.upper_bound(position.id); at != outbox_.rows.end(); ++at) {
    const auto& [id, row] = *at;
    const auto failed = outbox_.failed.find(id);
    const bool is_due = failed == outbox_.failed.end() || Outbox::IsDue(failed->second, now);
    if (mine(id, row) && is_due && !add(id)) return;
    position.id = id;
  }
  (void)retry(share, due.size());
}

// Performs one step of a rescan. This outbox assigns a row id when the row is committed, so no row appears below a row
// that the rescan has passed.
template <class Mine>
void ShardReader::Rescan(Position& position, Mine mine, BatchBuilder& batch) {
  if (position.rescan_end == 0) {
    position.rescanned = 0;
    position.rescan_end = std::max<RowNumber>(position.id, 1);
  }
  std::size_t looked = 0;
  auto at = outbox_.rows.upper_bound(position.rescanned);
  for (; at != outbox_.rows.end() && at->first <= position.id; ++at) {
    const auto& [id, row] = *at;
    const bool goes = mine(id, row) && !outbox_.failed.contains(id);
    if (++looked > kMaxRescanned || (goes && !batch.Add(ToEvent(id, row, 0)))) break;
    position.rescanned = id;
  }
  if (at == outbox_.rows.end() || at->first > position.id)
    position.rescan_end = 0;
  else if (position.rescanned < position.rescan_end)
    batch.Rescan(OUTBOX_RESCAN_GOES_ON);
  else
    position.rescan_end = (batch.Rescan(OUTBOX_RESCAN_ENDED), 0);
}

}  // namespace outbox::memory
