// Implements ReserveNewEvents on PostgreSQL: one statement with one snapshot (see Visibility) and binary results. A
// relay that has a backlog reads only new rows if there can be neither late rows nor failures.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "outbox/shares.hpp"
#include "postgres/client.hpp"
#include "postgres/columns.hpp"
#include "postgres/row_places.hpp"
#include "postgres/visibility.hpp"
#include "sql/scan_estimate.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// Reads the events of all shards for one session, which owns the object. Thread: the thread of the session.
class Reader {
 public:
  // Prepares the statements. The reader notes the places of rows in `places`, for the session that confirms. REQUIRES:
  // the tables exist.
  Reader(Client& client, const sql::Tables& tables, const EventColumns& columns, RowPlaces& places);
  void Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch);

 private:
  // The position up to which failures that are due have been examined. It is reset when all of them have been examined.
  struct Due {
    std::int64_t time = INT64_MIN;  // in the server's binary format; this value is '-infinity'
    long long row = 0;
    bool all = false;   // true if no failure beyond this position is due
    bool left = false;  // true if the batch had no room for some of the due rows
    Shares shares{};
  };
  // Progress of a rescan, which runs beside normal reading. `end` is 0 while there is no rescan.
  struct Rescan {
    long long cursor = 0, end = 0;
    long long floor = 0;       // the id at or below which no row could appear at the last step
    std::set<long long> seen;  // rows above `floor` that the rescan has returned
    sql::ScanEstimate stretch{};
  };
  struct Shard {
    std::uint64_t token = 0;
    Visibility position{};
    std::set<long long> late{};  // late rows above position.floor() that were returned; none is returned again
    bool behind = false;   // true if the last read did not reach the end, so that the next one may read only new rows
    bool shared = false;   // true if some rows belonged to other shards or had to wait
    bool weighed = false;  // true if the last rows were large, so that the next read sums up their sizes
    sql::ScanEstimate stretch{};
    Due due{};
    Rescan rescan{};
  };
  // The result of one statement.
  struct Page {
    Result result;
    // Rows [0, fresh) hold ids of late and due rows, rows [fresh, tail) are new rows, and row `tail` describes the
    // read.
    int fresh = 0, tail = 0;
    std::int64_t asked = 0;  // the largest number of new rows that was asked for
    // the id up to which only rows of this shard were asked for; 0 = rows of all shards were asked for
    long long upto = 0;
    std::size_t small = 0;      // the size in bytes up to which the sizes of rows do not have to be summed up
    bool alone = false;         // true if only new rows were asked for
    std::int64_t failures = 0;  // the number of failures to examine
  };
  // A summary of the new rows of a page.
  struct NewRows {
    long long begin = 0, cursor = 0;  // the position before and after these rows
    long long missing = 0;            // the highest missing id below `cursor`; 0 = none
    std::int64_t ours = 0;
    int looked = 0;  // the number of rows that fit into the batch, including those of other shards
    // true if the page held all rows above `begin` (up to Page::upto, if it is set), and all of them fit
    bool all = false;
  };
  enum class Next { kDone, kAgain };

  // Queries the last drawn id, and the transactions that must end before all ids up to it are stable (see Visibility).
  // Returns false if the last id that was drawn from the sequence cannot be determined.
  bool Settle(Visibility& position);
  Page Ask(const Call& call, const ReserveRequest& request, Shard& shard, bool alone);
  Result AskAll(const Call& call, const Shard& shard, std::int64_t rows, std::int32_t bytes, std::int64_t failures);
  Result AskAlone(const Call& call, const Visibility& at, std::int64_t rows, std::int32_t bytes, long long upto);
  // Returns true if it is sufficient to read only new rows, because there is nothing else to read. Clears `behind`.
  [[nodiscard]] static bool MayReadAlone(Shard& shard);
  Next Take(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);
  NewRows AddNew(const Page& page, Shard& shard, BatchBuilder& batch);
  Next EndOfOutbox(const Page& page, Shard& shard, BatchBuilder& batch);
  Next GoOn(const Page& page, const NewRows& rows, Shard& shard, BatchBuilder& batch);
  // Returns true if there are failed events. REQUIRES: `page` is the result of an ordinary read.
  [[nodiscard]] static bool Troubled(const Page& page);
  void TakeStep(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);
  void CheckTail(const Call& call, const Result& result);
  // Adds the late rows of the page that are not in `seen` yet. Returns false if the batch is full.
  bool AddLate(const ReserveRequest& request, const Page& page, BatchBuilder& batch, std::set<long long>& seen);
  bool AddByIds(std::vector<long long> ids, std::uint64_t bytes, const ReserveRequest& request, BatchBuilder& batch);
  void AddDue(const ReserveRequest& request, const Page& page, Due& due, BatchBuilder& batch);
  void Advance(const Page& page, Visibility& position, long long cursor, long long missing);
  bool AddRow(const Result& result, int row, BatchBuilder& batch);

  // Notes the places of the first `count` new rows of a page.
  void NotePlaces(const Page& page, int count);

  Client& client_;
  RowPlaces& places_;
  ColumnValues values_;
  std::map<std::uint32_t, Shard> shards_;
  bool settles_ = true;  // true if the last id that was drawn from the sequence can be determined
};

}  // namespace outbox::postgres
