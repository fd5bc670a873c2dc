// The ids of rows that the relay holds. It is asked for every row that a database offers, twice, so it allocates nothing
// for ids that are numbers, as those of the databases' own plugins are, and looks nothing up for one above all before.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace outbox::runtime {

class OutstandingRows {
 public:
  void Add(std::string_view id) {
    const std::uint64_t number = NumberOf(id);
    if (number == 0) {
      others_.emplace(id);
      return;
    }
    if (2 * (size_ + 1) > slots_.size()) Grow();
    std::uint64_t& slot = slots_[Find(number)];
    if (slot == 0) ++size_;
    slot = number;
    highest_ = std::max(highest_, number);
  }

  void Remove(std::string_view id) {
    const std::uint64_t number = NumberOf(id);
    if (number == 0) {
      others_.erase(std::string(id));
      return;
    }
    std::size_t hole = Find(number);
    if (slots_[hole] == 0) return;
    --size_;
    // Who was put further on because this slot was taken moves up: a search ends at the first empty one.
    for (std::size_t i = Next(hole); slots_[i] != 0; i = Next(i)) {
      const std::size_t home = HomeOf(slots_[i]);
      if (((i - home) & Mask()) < ((i - hole) & Mask())) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = 0;
  }

  [[nodiscard]] bool Has(std::string_view id) const {
    const std::uint64_t number = NumberOf(id);
    if (number == 0) return !others_.empty() && others_.contains(std::string(id));
    return number <= highest_ && slots_[Find(number)] == number;
  }

 private:
  // 0 = the id is no positive number in its one usual form of up to 18 digits.
  static std::uint64_t NumberOf(std::string_view id) {
    constexpr std::size_t kDigits = 18;
    if (id.empty() || id.size() > kDigits || id[0] == '0') return 0;
    std::uint64_t number = 0;
    for (const char c : id) {
      if (c < '0' || c > '9') return 0;
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return number;
  }
  [[nodiscard]] std::size_t Mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t Next(std::size_t slot) const { return (slot + 1) & Mask(); }
  [[nodiscard]] std::size_t HomeOf(std::uint64_t number) const {
    constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;
    return static_cast<std::size_t>((number * kGoldenRatio) >> 32U) & Mask();
  }
  // Where it is, or where it would be.
  [[nodiscard]] std::size_t Find(std::uint64_t number) const {
    std::size_t slot = HomeOf(number);
    while (slots_[slot] != 0 && slots_[slot] != number) slot = Next(slot);
    return slot;
  }
  void Grow() {
    const std::vector<std::uint64_t> old = std::move(slots_);
    slots_.assign(2 * old.size(), 0);
    for (const std::uint64_t number : old)
      if (number != 0) slots_[Find(number)] = number;
  }

  std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(64);  // a power of two, at most half full; 0 = empty
  std::size_t size_ = 0;
  std::uint64_t highest_ = 0;  // ever
  std::unordered_set<std::string> others_;
};

}  // namespace outbox::runtime
