// The places in the table (ctid) of outstanding rows. With them, the session that confirms the rows need not search for
// them in the primary key.
//
// A place is only a hint: an update of the row or a rewrite of the table moves the row, and VACUUM lets another row use
// the place of a deleted one. So every use compares id and event id, and searches by id for the rows that were not
// found at their places.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace outbox::postgres {

// A table of bounded size that all sessions of a store share. A new entry replaces the entry of an earlier row if the
// ids of the two rows differ by a multiple of kRows. Thread: any.
class RowPlaces {
 public:
  // The numbers of a block and of an item in it, as PostgreSQL counts them; items count from 1. 0 = the place is not
  // known.
  using Place = std::uint64_t;
  struct Row {
    long long id;
    Place place;
  };

  void Note(std::span<const Row> rows) {
    const std::lock_guard lock(mutex_);
    if (rows_.empty()) rows_.resize(kRows);
    for (const Row& row : rows) At(row.id) = row;
  }
  // Sets the place of each row of `rows` whose place is known.
  void Find(std::span<Row> rows) {
    const std::lock_guard lock(mutex_);
    if (rows_.empty()) return;
    for (Row& row : rows)
      if (const Row& known = At(row.id); known.id == row.id) row.place = known.place;
  }

 private:
  static constexpr std::size_t kRows = std::size_t{1} << 16;  // 1 MiB; the ids of a backlog are close together
  [[nodiscard]] Row& At(long long id) { return rows_[static_cast<std::size_t>(id) % kRows]; }

  std::mutex mutex_;
  std::vector<Row> rows_;
};

}  // namespace outbox::postgres
