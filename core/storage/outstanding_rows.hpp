// A set of row ids. The reader of a shard (runtime::StorageReader) owns the set of the shard's outstanding rows; no
// other object knows whether a row is outstanding. The plugin asks about every row that the database returns, so a
// lookup of a number costs one access to a hash table, and none if the number is higher than every number that was ever
// added.
//
// Thread: one at a time; the set of a shard belongs to its reader thread.
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
  // Adds the row. Returns false and changes nothing if the row is in the set already.
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
    // A search ends at the first empty slot. So each row that follows moves into the hole, unless the search for this
    // row begins behind the hole.
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
  static constexpr std::int64_t kEmpty = 0;  // marks an empty slot, so row 0 is kept in has_empty_

  [[nodiscard]] std::size_t Mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t Next(std::size_t slot) const { return (slot + 1) & Mask(); }
  [[nodiscard]] std::size_t HomeOf(std::int64_t number) const {
    constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;
    return static_cast<std::size_t>((static_cast<std::uint64_t>(number) * kGoldenRatio) >> 32U) & Mask();
  }
  // Returns the slot that contains the number or, if the number is not in the set, the empty slot in which it belongs.
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

  // INVARIANT: the size is a power of two, and at least half of the slots are empty.
  std::vector<std::int64_t> slots_ = std::vector<std::int64_t>(64);
  std::size_t size_ = 0;
  std::int64_t highest_ = INT64_MIN;       // the highest number that was ever added
  bool has_empty_ = false;                 // true if row 0 is in the set
  std::unordered_set<std::string> bytes_;  // the ids that are byte strings
};

}  // namespace outbox::storage
