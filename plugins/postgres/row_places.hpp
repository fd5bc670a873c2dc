// Where the rows that a relay has in hand lie in the table (ctid), so that the session that confirms need not look for them in the
// primary key.
//
// A place is a hint: an update of the row or a rewrite of the table moves it, and VACUUM gives the place of a deleted row to
// another one. So whoever uses it compares id and event id, and looks for what was not there by its id.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace outbox::postgres {

// Thread: any. Bounded: of ids that are far apart the later ones take the place of the earlier ones.
class RowPlaces {
 public:
  // Block and item number as PostgreSQL numbers them, from 1 on; 0 = not known.
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
  // Sets the place of each that is known.
  void Find(std::span<Row> rows) {
    const std::lock_guard lock(mutex_);
    if (rows_.empty()) return;
    for (Row& row : rows)
      if (const Row& known = At(row.id); known.id == row.id) row.place = known.place;
  }

 private:
  static constexpr std::size_t kRows = std::size_t{1} << 16;  // 1 MiB; ids of a backlog lie close together
  [[nodiscard]] Row& At(long long id) { return rows_[static_cast<std::size_t>(id) % kRows]; }

  std::mutex mutex_;
  std::vector<Row> rows_;
};

}  // namespace outbox::postgres
