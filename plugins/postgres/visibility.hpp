// The position up to which one shard has been read, and the ids below it at which late rows may still appear.
//
// An id is assigned when a row is inserted, and the row becomes visible when it is committed. So a row may appear below
// another row that was read long ago. Therefore each read covers everything above `low` in one snapshot. After its
// snapshot, the read lists from pg_locks the transactions that may still insert such a row, the *lockers*: they hold
// RowExclusiveLock on the table. The list of transactions in the snapshot itself is not sufficient, because an id is
// drawn before a transaction gets a number. `low` advances over ids at which no row can appear any more: all listed
// transactions have ended, and a read that began after this was observed has covered the range. If no id is missing, no
// late row can appear, no matter which transactions are open: in a backlog there is no range to cover.
//
// Ids are missing for good if their rows have been deleted, which other relays do with the rows of their shards all the
// time. So the reader queries the last id that was drawn from the sequence, and then pg_locks for the open
// transactions. Once these transactions have ended, all ids up to the queried id are *stable* (`settled`): their rows
// are visible to the next read, or will never exist.
//
// A transaction that stays open for a long time makes the covered range long, and full of index entries of deleted
// rows. Such a transaction is *watched*: the read checks in its own snapshot whether a watched transaction has ended,
// and omits the range of the watched transactions as long as none of them has.
//
// Nothing depends on this state being kept: it is lost with the session, and reading then begins again at the oldest
// row.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace outbox::postgres {

// A transaction that may still insert late rows.
struct Locker {
  std::string transaction;  // the virtual transaction id, as pg_locks shows it
  std::uint64_t xid = 0;    // the transaction id; 0 = none yet
};

// The position of one shard. Owned by the Reader of a session. Thread: the thread of the session.
class Visibility {
 public:
  // Records that all ids up to `drawn` are stable once the transactions in `lockers` have ended. REQUIRES: it is called
  // between two reads, and all ids up to `drawn` had been drawn before `lockers` was listed.
  void Settle(long long drawn, const std::vector<Locker>& lockers);
  // Returns the id up to which all ids are stable, which means that their rows are visible to the next read or will
  // never exist. 0 = not known.
  [[nodiscard]] long long settled() const { return settled_; }
  // Returns true if some of the transactions given to Settle() were still open when they were last listed.
  [[nodiscard]] bool settling() const { return !settling_.empty(); }
  // low() and cursor() bound the next read, which covers the ids above low(). Rows up to cursor() are late rows, and
  // rows above cursor() are new rows.
  [[nodiscard]] long long low() const { return gap_low_; }
  [[nodiscard]] long long cursor() const { return cursor_; }
  // Returns the id at or below which no row can appear, not even one of a watched transaction.
  [[nodiscard]] long long floor() const { return low_; }
  // Returns the transaction ids of the watched transactions. The next read must check whether one of them has ended.
  [[nodiscard]] std::vector<std::uint64_t> Watched() const;

  // Records a read of the ids above low() whose rows were all added to the batch. The read reached `cursor`, and listed
  // `lockers` after its snapshot. `missing` is the last missing id below `cursor`; 0 = none.
  void Advance(long long cursor, long long missing, const std::vector<Locker>& lockers);
  // Records a read that listed no transactions. REQUIRES: whole() was true before the read, and every missing id that
  // the read passed was at or below settled() when the read began.
  void AdvanceWhole(long long cursor);
  // Returns true if no row can appear at or below cursor() any more.
  [[nodiscard]] bool whole() const { return low_ == cursor_; }
  // Records a read that returned nothing because a watched transaction has ended. The next read covers the whole
  // range.
  void Resume();

 private:
  struct Seen {
    long long barrier;  // all ids of this transaction are above this id
    std::uint64_t xid;
    bool watched;
  };
  [[nodiscard]] long long Lowest(bool also_watched) const;
  [[nodiscard]] long long PassWhole(long long low, long long cursor) const;

  long long settled_ = 0;
  // All ids up to drawn_ become stable when the transactions in settling_ have ended.
  long long drawn_ = 0;
  std::set<std::string> settling_;
  long long low_ = 0;      // no row can appear at or below this id
  long long gap_low_ = 0;  // no row can appear at or below this id, except rows of watched transactions; >= low_
  long long cursor_ = 0;
  long long missing_ = 0;  // every id above this one and up to cursor_ has been read, or is stable
  // The values of low_ and gap_low_ once one more read has covered the range.
  long long clear_ = 0, gap_clear_ = 0;
  std::map<std::string, Seen> lockers_;
};

}  // namespace outbox::postgres
