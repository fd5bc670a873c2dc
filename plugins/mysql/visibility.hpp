// Which ids below the reading position were never seen, and so may still turn up.
//
// Ids are given when a row is inserted and rows are seen when they are committed: below a row that was read long ago one
// may appear. Each read asks for the ids that are missing here, in the same statement and so in the same snapshot as the
// new rows: what turns up goes out first. A missing id is forgotten when it cannot turn up any more. No privilege is
// needed to learn that: a dirty read shows what others have inserted and not committed, without a lock. Where it shows
// nothing, twice, some time apart, the transaction was rolled back, or the id was never used. Once is not enough: a row is
// there a moment after its id is taken. Of ids that are known to have been taken long before, once is: another relay's
// deletes of its own shards' rows leave many of them.
//
// Ids of one bulk insert are taken ahead as a whole, and its first row shows for all of them. So what lies behind a row
// that is seen dirty stays missing with it.
//
// A hint all of it, lost with the session.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace outbox::mysql {

struct IdRange {
  long long first, last;  // both included
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

class Visibility {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;
  // Between the first and the last empty look, or between an id's being taken and a look.
  static constexpr std::chrono::milliseconds kPatience{1000};

  [[nodiscard]] bool empty() const { return gaps_.empty(); }
  [[nodiscard]] std::size_t size() const { return gaps_.size(); }
  [[nodiscard]] bool AnyBelow(long long id) const { return !gaps_.empty() && gaps_.begin()->first < id; }
  void Clear() { *this = {}; }
  // Ids that a read has passed over without seeing them; above all that are here.
  void Missing(long long first, long long last);
  void Seen(long long id);
  [[nodiscard]] bool Has(long long id) const;

  // All that is missing, in at most `most` ranges. Where there are more, neighbours are taken together with what lies
  // between them: too much is never wrong, as it only costs a look.
  [[nodiscard]] std::vector<IdRange> Cover(std::size_t most) const;

  // The ranges whose turn it is to be looked at, at most `most`.
  [[nodiscard]] std::vector<IdRange> ToLookAt(std::size_t most, Time now) const;
  // A dirty read of `range`, one of these, saw `first_seen` as its first row; 0 = none. It began at `now`.
  void Looked(const IdRange& range, long long first_seen, Time now);
  // Ids up to this one had been taken by `now`. Worth telling when the last time is a while ago.
  void Taken(long long id, Time now);
  [[nodiscard]] bool WantsTaken(Time now) const;

 private:
  struct Gap {
    long long last;
    Time looked;       // epoch = never
    Time empty_since;  // the first of the empty looks without a break; epoch = none
  };
  // Of ids known to be taken long ago, the last. Whatever will ever be there up to it shows something by now.
  [[nodiscard]] long long Shown(Time now);
  void DropOld(Time now);

  std::map<long long, Gap> gaps_;                 // by first id
  std::deque<std::pair<Time, long long>> taken_;  // from long ago, only the last
};

}  // namespace outbox::mysql
