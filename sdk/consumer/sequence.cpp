#include "sequence.hpp"

#include <algorithm>
#include <utility>

namespace outbox::consumer {

Sequence::Seen* Sequence::Find(const std::string& key) {
  if (const auto found = young_.find(key); found != young_.end()) return &found->second;
  if (young_.size() >= kKeys) old_ = std::exchange(young_, {});
  Keys::node_type found = old_.extract(key);
  return found.empty() ? nullptr : &young_.insert(std::move(found)).position->second;
}

Sequence::Finding Sequence::See(std::string_view key, std::int64_t number) {
  std::string name(key);
  Seen* const seen = Find(name);
  if (seen == nullptr) {
    young_.try_emplace(std::move(name), Seen{number, {}});
    return {};
  }
  Finding finding;
  if (number > seen->last) {
    // The difference is computed in unsigned arithmetic, because a signed difference can overflow: the numbers may be
    // any 64-bit integers.
    finding.missing = static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(seen->last) - 1;
    const auto kept = std::min<std::uint64_t>(finding.missing, kMissing);
    for (std::uint64_t i = kept; i > 0; --i) {
      if (seen->missing.size() == kMissing) seen->missing.erase(seen->missing.begin());
      seen->missing.push_back(number - static_cast<std::int64_t>(i));
    }
    seen->last = number;
    return finding;
  }
  finding.late = std::erase(seen->missing, number) > 0;
  finding.repeated = !finding.late;
  return finding;
}

}  // namespace outbox::consumer
