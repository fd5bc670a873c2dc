// Keeps the missing ids of a shard: ids below the reading position for which no row was seen, so a row may still
// appear.
//
// A row gets its id when it is inserted, and becomes visible when it is committed. So a row may appear below a row that
// was read long ago (a late row). Each read asks for the missing ids and for new rows in one statement, and so in one
// snapshot. Late rows are sent before new ones.
//
// A missing id is forgotten when no row can appear under it any more. No privilege is needed to detect this: a dirty
// read shows, without a lock, rows that other transactions have inserted and not committed. If two dirty reads some
// time apart find no row, the transaction was rolled back, or the id was never used. One dirty read is not enough,
// because a row is inserted a moment later than its id is drawn from the auto-increment counter. For ids that are known
// to have been drawn long before, one dirty read is enough. Another relay that deletes the rows of its own shards
// leaves many such ids.
//
// A bulk insert draws all its ids in advance, so other rows may follow its first row. If a dirty read finds a row, the
// ids behind this row in the same range therefore stay missing as well.
//
// The missing ids may be lost at any time, and are lost with the session. The shard is then read from its oldest row.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace outbox::mysql {

struct IdRange {
  long long first, last;  // first and last id of the range, both included
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

// The missing ids of one shard. The reader owns one object for each shard. Thread: the thread of the session.
class Visibility {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;
  // Time after which missing ids are forgotten: the minimum time between the first and the last empty dirty read of a
  // range, or between the drawing of an id and its only dirty read.
  static constexpr std::chrono::milliseconds kPatience{1000};

  [[nodiscard]] bool empty() const { return gaps_.empty(); }
  [[nodiscard]] std::size_t size() const { return gaps_.size(); }
  [[nodiscard]] bool AnyBelow(long long id) const { return !gaps_.empty() && gaps_.begin()->first < id; }
  void Clear() { *this = {}; }
  // Adds ids that a read has passed over without finding rows. REQUIRES: these ids are above all ids that were added
  // before.
  void Missing(long long first, long long last);
  // Removes an id, because its row was seen.
  void Seen(long long id);
  [[nodiscard]] bool Has(long long id) const;

  // Returns all missing ids in at most `most` ranges. If there are more ranges, neighbouring ranges are joined,
  // together with the ids between them. The additional ids are never wrong; they only cost time.
  [[nodiscard]] std::vector<IdRange> Cover(std::size_t most) const;

  // Returns the ranges for which a dirty read is due, at most `most` of them.
  [[nodiscard]] std::vector<IdRange> ToLookAt(std::size_t most, Time now) const;
  // Records a dirty read of `range`, which ToLookAt() has returned. The dirty read began at `now`, and `first_seen` is
  // the id of the first row that it found; 0 = no row was found.
  void Looked(const IdRange& range, long long first_seen, Time now);
  // Records that all ids up to `id` had been drawn by `now`. WantsTaken() returns true if there is no record, or if the
  // last record is old enough for another one.
  void Taken(long long id, Time now);
  [[nodiscard]] bool WantsTaken(Time now) const;

 private:
  // A range of missing ids.
  struct Gap {
    long long last;
    Time looked;       // time of the last dirty read; epoch = never
    Time empty_since;  // time of the first of the consecutive dirty reads that found nothing; epoch = none
  };
  // Returns the last id that is known to have been drawn at least kPatience before `now`; 0 = none is known. A dirty
  // read at `now` finds a row of each transaction that can still commit rows up to this id.
  [[nodiscard]] long long Shown(Time now);
  void DropOld(Time now);

  // The gaps by their first ids.
  std::map<long long, Gap> gaps_;
  // The records of Taken(). Of the records that are older than kPatience, only the last one is kept.
  std::deque<std::pair<Time, long long>> taken_;
};

}  // namespace outbox::mysql
