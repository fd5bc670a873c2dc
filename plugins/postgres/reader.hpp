// ReserveNewEvents on PostgreSQL: one statement, one snapshot (see Visibility), binary results. A relay that is behind reads
// its rows without the rest where nothing else can be there: no late rows, no failures.
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

class Reader {
 public:
  // Prepares its statements: the tables must be there. `places` are noted for the session that confirms.
  Reader(Client& client, const sql::Tables& tables, const EventColumns& columns, RowPlaces& places);
  void Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch);

 private:
  // How far the failures that are due have been looked at. Begins again when all have been.
  struct Due {
    std::int64_t time = INT64_MIN;  // as the server sends it; that is '-infinity'
    long long row = 0;
    bool all = false;   // nothing is due behind it
    bool left = false;  // the batch had no room for some of them
    Shares shares{};
  };
  // A pass beside the reading; end = 0 while there is none.
  struct Rescan {
    long long cursor = 0, end = 0;
    long long floor = 0;       // no row at or below it could appear when the last step was done
    std::set<long long> seen;  // rows above it that the pass has brought
    sql::ScanEstimate stretch{};
  };
  struct Shard {
    std::uint64_t token = 0;
    Visibility position{};
    std::set<long long> late{};  // rows above position.floor() that came below position.cursor(): once, taken or not
    bool behind = false;         // there were more rows, and the next may come alone
    bool shared = false;         // some rows were not ours to send
    bool weighed = false;        // the last rows were large: the next read counts their bytes
    sql::ScanEstimate stretch{};
    Due due{};
    Rescan rescan{};
  };
  // What one statement brought.
  struct Page {
    Result result;
    // [0, fresh) hold ids of late and due rows, [fresh, tail) are new rows, then comes one about the read.
    int fresh = 0, tail = 0;
    std::int64_t asked = 0;     // new rows, at most
    long long upto = 0;         // ours alone, up to this id; 0 = others' as well
    std::size_t small = 0;      // bytes of a row that needs no weighing
    bool alone = false;         // nothing but new rows was asked for
    std::int64_t failures = 0;  // to look at
  };
  // What the new rows of a page have come to.
  struct NewRows {
    long long begin = 0, cursor = 0;  // the position before them, and behind them
    long long missing = 0;            // the highest id below `cursor` that was not there
    std::int64_t ours = 0;
    int looked = 0;    // rows that fit, others' included
    bool all = false;  // nothing is left of what was asked for
  };
  enum class Next { kDone, kAgain };

  // False = what the sequence has drawn cannot be known.
  bool Settle(Visibility& position);
  Page Ask(const Call& call, const ReserveRequest& request, Shard& shard, bool alone);
  Result AskAll(const Call& call, const Shard& shard, std::int64_t rows, std::int32_t bytes, std::int64_t failures);
  Result AskAlone(const Call& call, const Visibility& at, std::int64_t rows, std::int32_t bytes, long long upto);
  // Rows alone will do: nothing else can be there.
  [[nodiscard]] static bool MayReadAlone(Shard& shard);
  Next Take(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);
  NewRows AddNew(const Page& page, Shard& shard, BatchBuilder& batch);
  Next EndOfOutbox(const Page& page, Shard& shard, BatchBuilder& batch);
  Next GoOn(const Page& page, const NewRows& rows, Shard& shard, BatchBuilder& batch);
  // REQUIRES: not of a page of rows alone. There are failed events.
  [[nodiscard]] static bool Troubled(const Page& page);
  void TakeStep(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);
  void CheckTail(const Call& call, const Result& result);
  // Those that are not in `seen` yet. False = the batch is full.
  bool AddLate(const ReserveRequest& request, const Page& page, BatchBuilder& batch, std::set<long long>& seen);
  bool AddByIds(std::vector<long long> ids, std::uint64_t bytes, const ReserveRequest& request, BatchBuilder& batch);
  void AddDue(const ReserveRequest& request, const Page& page, Due& due, BatchBuilder& batch);
  void Advance(const Page& page, Visibility& position, long long cursor, long long missing);
  bool AddRow(const Result& result, int row, BatchBuilder& batch);

  // Where the first `count` new rows of a page lie.
  void NotePlaces(const Page& page, int count);

  Client& client_;
  RowPlaces& places_;
  ColumnValues values_;
  std::map<std::uint32_t, Shard> shards_;
  bool settles_ = true;  // what the sequence has drawn can be known
};

}  // namespace outbox::postgres
