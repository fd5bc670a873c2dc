#include "mysql/visibility.hpp"

#include <algorithm>
#include <queue>

namespace outbox::mysql {
namespace {

// Maximum number of gaps. Keeping more gaps apart costs more than asking for the ids between the gaps.
constexpr std::size_t kMaxGaps = 10'000;
// Minimum time between two dirty reads of a range.
constexpr auto kLookEvery = Visibility::kPatience / 3;

}  // namespace

void Visibility::Missing(long long first, long long last) {
  if (gaps_.size() >= kMaxGaps) {
    // The older half of the gaps becomes one gap, which also covers the rows between these gaps. The new gap is not
    // forgotten until those rows have been delivered, because dirty reads find them.
    const auto middle = std::next(gaps_.begin(), static_cast<std::ptrdiff_t>(gaps_.size() / 2));
    const long long from = gaps_.begin()->first, to = std::prev(middle)->second.last;
    gaps_.erase(gaps_.begin(), middle);
    gaps_.emplace(from, Gap{to, {}, {}});
  }
  gaps_.emplace(first, Gap{last, {}, {}});
}

void Visibility::Seen(long long id) {
  auto after = gaps_.upper_bound(id);
  if (after == gaps_.begin()) return;
  const auto at = std::prev(after);
  if (at->second.last < id) return;
  const long long first = at->first;
  const Gap gap = at->second;
  gaps_.erase(at);
  if (first < id) gaps_.emplace(first, Gap{id - 1, gap.looked, gap.empty_since});
  if (id < gap.last) gaps_.emplace(id + 1, gap);
}

bool Visibility::Has(long long id) const {
  const auto after = gaps_.upper_bound(id);
  return after != gaps_.begin() && std::prev(after)->second.last >= id;
}

std::vector<IdRange> Visibility::Cover(std::size_t most) const {
  std::vector<IdRange> all;
  for (const auto& [first, gap] : gaps_) all.push_back({first, gap.last});
  if (all.size() <= most) return all;
  // Neighbouring ranges stay apart only at the `most` - 1 widest distances; all other ranges are joined.
  std::vector<long long> distances;
  for (std::size_t i = 1; i < all.size(); ++i) distances.push_back(all[i].first - all[i - 1].last);
  auto widest = distances;
  const auto cut = widest.begin() + static_cast<std::ptrdiff_t>(most - 1);
  std::nth_element(widest.begin(), cut, widest.end(), std::greater<>());
  const long long joined = *cut;  // neighbouring ranges with at most this distance are joined
  std::vector<IdRange> cover{all[0]};
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (distances[i - 1] > joined)
      cover.push_back(all[i]);
    else
      cover.back().last = all[i].last;
  }
  return cover;
}

std::vector<IdRange> Visibility::ToLookAt(std::size_t most, Time now) const {
  std::vector<IdRange> due;
  for (const auto& [first, gap] : gaps_) {
    if (due.size() == most) break;
    if (gap.looked == Time() || now - gap.looked >= kLookEvery) due.push_back({first, gap.last});
  }
  return due;
}

void Visibility::Looked(const IdRange& range, long long first_seen, Time now) {
  const auto at = gaps_.find(range.first);
  if (at == gaps_.end() || at->second.last != range.last) return;
  const Time since = at->second.empty_since != Time() ? at->second.empty_since : now;
  const bool forget = now - since >= kPatience || range.last <= Shown(now);
  const long long empty_to = first_seen == 0 ? range.last : first_seen - 1;
  gaps_.erase(at);
  if (range.first <= empty_to && !forget) gaps_.emplace(range.first, Gap{empty_to, now, since});
  if (first_seen != 0) gaps_.emplace(first_seen, Gap{range.last, now, {}});
}

void Visibility::Taken(long long id, Time now) {
  taken_.emplace_back(now, id);
  DropOld(now);
}

bool Visibility::WantsTaken(Time now) const { return taken_.empty() || now - taken_.back().first >= kPatience / 10; }

void Visibility::DropOld(Time now) {
  while (taken_.size() > 1 && now - taken_[1].first >= kPatience) taken_.pop_front();
}

long long Visibility::Shown(Time now) {
  DropOld(now);
  return !taken_.empty() && now - taken_.front().first >= kPatience ? taken_.front().second : 0;
}

}  // namespace outbox::mysql
