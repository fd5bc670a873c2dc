#include "sequence.hpp"

#include <algorithm>

namespace outbox::consumer {

Sequence::Seen* Sequence::Find(const std::string& key) {
  if (const auto found = young_.find(key); found != young_.end()) return &found->second;
  if (young_.size() >= kKeys) {
    old_ = std::move(young_);
    young_.clear();
  }
  const auto found = old_.find(key);
  if (found == old_.end()) return nullptr;
  Seen* const moved = &(young_[key] = std::move(found->second));
  old_.erase(found);
  return moved;
}

Sequence::Finding Sequence::See(std::string_view key, std::int64_t number) {
  std::string name(key);
  Seen* const seen = Find(name);
  if (seen == nullptr) {
    young_[std::move(name)].last = number;
    return {};
  }
  Finding finding;
  if (number > seen->last) {
    // Unsigned, as the whole range of numbers is further than a signed one reaches.
    finding.missing = static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(seen->last) - 1;
    const auto kept = std::min<std::uint64_t>(finding.missing, kMissing);
    for (std::uint64_t i = kept; i > 0; --i) seen->missing.push_back(number - static_cast<std::int64_t>(i));
    if (seen->missing.size() > kMissing)
      seen->missing.erase(seen->missing.begin(), seen->missing.end() - static_cast<std::ptrdiff_t>(kMissing));
    seen->last = number;
    return finding;
  }
  finding.late = std::erase(seen->missing, number) > 0;
  finding.repeated = !finding.late;
  return finding;
}

}  // namespace outbox::consumer
