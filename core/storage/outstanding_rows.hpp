// The ids of the rows that a shard of the relay holds: the one place that knows whether a row is outstanding. The plugin asks
// it for every row that a database offers, so a number costs one look into a table of numbers, and none if it is higher than
// all numbers before. Thread: the one that reads; not safe for several.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "outbox/event.hpp"

namespace outbox::storage {

class OutstandingRows {
 public:
  // False: the row is outstanding already, and nothing has changed.
  [[nodiscard]] bool Add(const RowId& id) {
    if (!id.IsNumber()) return bytes_.emplace(id.bytes()).second;
    if (id.number() == kEmpty) return !std::exchange(has_empty_, true);
    if (2 * (size_ + 1) > slots_.size()) Grow();
    std::int64_t& slot = slots_[Find(id.number())];
    if (slot == id.number()) return false;
    ++size_;
    slot = id.number();
    highest_ = std::max(highest_, id.number());
    return true;
  }

  void Remove(const RowId& id) {
    if (!id.IsNumber()) {
      bytes_.erase(std::string(id.bytes()));
      return;
    }
    if (id.number() == kEmpty) {
      has_empty_ = false;
      return;
    }
    std::size_t hole = Find(id.number());
    if (slots_[hole] == kEmpty) return;
    --size_;
    // A search ends at the first empty slot, so the rows behind the hole that were put there only because their own slots were
    // taken move up.
    for (std::size_t i = Next(hole); slots_[i] != kEmpty; i = Next(i)) {
      const std::size_t home = HomeOf(slots_[i]);
      if (((i - home) & Mask()) < ((i - hole) & Mask())) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = kEmpty;
  }

  [[nodiscard]] std::size_t size() const { return size_ + (has_empty_ ? 1 : 0) + bytes_.size(); }

  [[nodiscard]] bool Has(const RowId& id) const {
    if (!id.IsNumber()) return !bytes_.empty() && bytes_.contains(std::string(id.bytes()));
    if (id.number() == kEmpty) return has_empty_;
    return id.number() <= highest_ && slots_[Find(id.number())] == id.number();
  }

 private:
  static constexpr std::int64_t kEmpty = 0;  // in a slot; the row 0 itself has a place of its own

  [[nodiscard]] std::size_t Mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t Next(std::size_t slot) const { return (slot + 1) & Mask(); }
  [[nodiscard]] std::size_t HomeOf(std::int64_t number) const {
    constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;
    return static_cast<std::size_t>((static_cast<std::uint64_t>(number) * kGoldenRatio) >> 32U) & Mask();
  }
  // The slot that has the number, or the empty one that would get it.
  [[nodiscard]] std::size_t Find(std::int64_t number) const {
    std::size_t slot = HomeOf(number);
    while (slots_[slot] != kEmpty && slots_[slot] != number) slot = Next(slot);
    return slot;
  }
  void Grow() {
    const std::vector<std::int64_t> old = std::move(slots_);
    slots_.assign(2 * old.size(), kEmpty);
    for (const std::int64_t number : old)
      if (number != kEmpty) slots_[Find(number)] = number;
  }

  std::vector<std::int64_t> slots_ = std::vector<std::int64_t>(64);  // INVARIANT: a power of two, at most half full
  std::size_t size_ = 0;
  std::int64_t highest_ = INT64_MIN;  // of all that were ever added
  bool has_empty_ = false;
  std::unordered_set<std::string> bytes_;
};

}  // namespace outbox::storage
