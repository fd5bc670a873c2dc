#include "row_reader.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>

namespace outbox::memory {

RowReader::Free RowReader::Look(const ReserveRequest& request, Clock::time_point now) const {
  Free free;
  const auto first_failed = outbox_.FirstFailed();
  std::set<std::string_view> of_others, not_given;
  for (const auto& [id, row] : outbox_.rows) {
    const auto mark = outbox_.marks.find(id);
    if (mark != outbox_.marks.end() && mark->second.IsOfAnother(request.relay_id(), now)) {
      if (row.key) of_others.insert(*row.key);
      continue;
    }
    const auto first = row.key ? first_failed.find(*row.key) : first_failed.end();
    if (first != first_failed.end() && first->second < id) continue;
    if ((row.key && of_others.contains(*row.key)) || request.is_outstanding(id)) continue;
    const auto failed = outbox_.failed.find(id);
    if (failed == outbox_.failed.end()) {
      free.fresh.push_back(id);
      if (row.key) not_given.insert(*row.key);
    } else if (Outbox::IsDue(failed->second, now) && !(row.key && not_given.contains(*row.key))) {
      // Read() may add a retry before new rows. A retry is therefore left out while an earlier row of its key that has
      // never failed is still to be returned.
      free.due.emplace_back(failed->second.due, id);
    }
  }
  std::sort(free.due.begin(), free.due.end());
  return free;
}

void RowReader::Read(const ReserveRequest& request, BatchBuilder& batch) {
  const auto now = Clock::now();
  const std::uint64_t token = ++outbox_.last_mark;
  const Free free = Look(request, now);
  batch.Reserved(token, request.reserve_duration());
  outbox_.relays[std::string(request.relay_id())] = now + request.reserve_duration();
  const auto add = [&](RowNumber id) {
    if (!batch.Add(ToEvent(id, outbox_.rows.at(id), outbox_.Attempts(id)))) return false;
    outbox_.marks[id] = {std::string(request.relay_id()), token, now + request.reserve_duration()};
    return true;
  };
  const std::size_t share = std::min(shares_.ForRetries(request), free.due.size());
  for (std::size_t i = 0; i < share; ++i)
    if (!add(free.due[i].second)) return;
  for (const RowNumber id : free.fresh)
    if (!add(id)) return;
  for (std::size_t i = share; i < free.due.size(); ++i)
    if (!add(free.due[i].second)) return;
}

}  // namespace outbox::memory
