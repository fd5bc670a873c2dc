// How far one shard has been read, and which ids below may still turn up.
//
// Ids are given when a row is inserted and rows are seen when they are committed: a row may appear below one that was
// read long ago. Each read therefore covers everything above `low` in one snapshot, and learns from pg_locks, after its
// snapshot, which transactions may still bring such a row (they hold RowExclusiveLock on the table; the snapshot's own
// list does not tell, as an id is drawn before a transaction has a number). `low` follows over ids that cannot appear any
// more: the transactions seen are gone, and a read that began after this was seen has covered the range. Where no id is
// missing none can appear, whoever is open: in a backlog there is no range to cover.
//
// Ids are missing for good where somebody has deleted the rows: another relay, of its own shards, all the time. So the
// sequence is asked what it has drawn, and then pg_locks who is open: once these have ended, whatever was drawn then is
// *settled*, there for the next read or never.
//
// A transaction that stays open for long would make that range long, and full of index entries of deleted rows. It is
// then *watched*: the read asks, in its own snapshot, whether one of the watched has ended, and leaves its range out as
// long as none has. A hint all of it, lost with the session.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace outbox::postgres {

struct Locker {
  std::string transaction;  // virtual transaction id, as pg_locks shows it
  std::uint64_t xid = 0;    // its number, 0 = none yet
};

class Visibility {
 public:
  // Between two reads: ids up to `drawn` had been drawn before these lockers were seen.
  void Settle(long long drawn, const std::vector<Locker>& lockers);
  // Whatever has an id up to here is there for the next read, or never will be; 0 = not known.
  [[nodiscard]] long long settled() const { return settled_; }
  // Some of those lockers were open at the last look.
  [[nodiscard]] bool settling() const { return !settling_.empty(); }
  // The next read covers ids above this one ...
  [[nodiscard]] long long low() const { return gap_low_; }
  // ... up to here those that turned up late, and beyond it the new ones.
  [[nodiscard]] long long cursor() const { return cursor_; }
  // No row at or below it can appear, not even one of a watched transaction.
  [[nodiscard]] long long floor() const { return low_; }
  // Numbers of the transactions whose end the next read must look out for.
  [[nodiscard]] std::vector<std::uint64_t> Watched() const;

  // A read from low() has been handed on completely: it reached `cursor`, and then saw these lockers. `missing`: the last
  // id below `cursor` that it passed over because there was no such row; 0 = none.
  void Advance(long long cursor, long long missing, const std::vector<Locker>& lockers);
  // Likewise, by a read that asked for no lockers: allowed from a position that is whole, over rows where none is missing
  // above what was settled when it began.
  void AdvanceWhole(long long cursor);
  // No id up to cursor() can turn up.
  [[nodiscard]] bool whole() const { return low_ == cursor_; }
  // The read found that a watched transaction has ended, and returned nothing: the next one covers the whole range.
  void Resume();

 private:
  struct Seen {
    long long barrier;  // ids up to here are not its
    std::uint64_t xid;
    bool watched;
  };
  [[nodiscard]] long long Lowest(bool also_watched) const;
  [[nodiscard]] long long PassWhole(long long low, long long cursor) const;

  long long settled_ = 0;
  long long drawn_ = 0;             // what is settled ...
  std::set<std::string> settling_;  // ... when these have ended
  long long low_ = 0;               // no row at or below it can appear
  long long gap_low_ = 0;           // likewise but for rows of watched transactions; >= low_
  long long cursor_ = 0;
  long long missing_ = 0;  // every id above it and up to cursor_ has been read, or is settled
  // What low_ and gap_low_ become once one more read has covered the range.
  long long clear_ = 0, gap_clear_ = 0;
  std::map<std::string, Seen> lockers_;
};

}  // namespace outbox::postgres
