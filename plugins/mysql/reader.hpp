// ReserveNewEvents on MySQL and MariaDB: one statement, one snapshot (see Visibility), rows taken one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "mysql/capture.hpp"
#include "mysql/client.hpp"
#include "mysql/read_sql.hpp"
#include "mysql/visibility.hpp"
#include "outbox/adapter.hpp"
#include "outbox/shares.hpp"
#include "sql/scan_estimate.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

class Reader {
 public:
  // `troubled` tells the sessions that confirm whether there are failed events; the reader keeps it up.
  Reader(Client& client, const sql::Tables& tables, std::atomic<bool>& troubled)
      : client_(client), tables_(tables), troubled_(troubled) {}
  // Before the first read of captured rows: how their columns are read, and of which types they are.
  void Capture(Captured captured, std::vector<MappedType> types);
  void Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch);

 private:
  struct Due {
    DuePosition at{};
    bool all = false;   // nothing is due behind it
    bool left = false;  // the batch had no room for some of them
    Shares shares{};
  };
  // A pass beside the reading; end = 0 while there is none.
  struct Rescan {
    long long cursor = 0, end = 0;
    Visibility missing{};        // when the last step was done
    std::set<long long> seen{};  // rows that the pass has brought since an id was missing
    sql::ScanEstimate stretch{};
  };
  // A hint, lost with the session.
  struct Shard {
    std::uint64_t token = 0;
    long long cursor = 0;      // the last row read
    Visibility gaps;           // what is missing up to it
    std::size_t ranges = 0;    // of missing ids, in one statement
    bool behind = false;       // the last read brought all that it asked for
    bool troubled = false;     // as the last read found it
    std::uint32_t shards = 1;  // likewise
    std::int64_t page = 64;    // rows to ask for: grows while pages are full and small
    sql::ScanEstimate stretch{};
    std::size_t row_bytes = 1;  // of the last page's rows, on average
    bool late_only = false;     // the rows behind the late ones were too much to pass over
    Due due{};
    Rescan rescan{};
  };
  static constexpr std::int64_t kMaxRows = 20'000;  // looked at by one statement
  // Of missing ids, in one statement; the latter where what lies between them would be too much.
  static constexpr std::size_t kMaxRanges = 200, kManyRanges = 10'000;
  enum class Next { kDone, kAgain };
  // A row that was read above a missing id.
  struct Unsure {
    long long id = 0;
    std::size_t before = 0;  // events in the batch
  };
  // What one statement has brought so far.
  struct Page {
    std::vector<long long> late, due;
    std::size_t late_seen = 0;
    std::int64_t failures = 0, failures_seen = 0;  // to look at, and looked at
    std::vector<Unsure> unsure;                    // on MariaDB; ascending, not passed yet
    std::int64_t rows = 0, ours = 0;
    std::size_t bytes = 0;
    bool known = false;        // the row about the read has come
    bool asked_wrong = false;  // it says that another statement is needed
    bool read_only = false;    // it says that what is sent could not be confirmed
    bool full = false;         // the batch took no more
  };

  void Look(Visibility& gaps);
  void LearnTaken(Visibility& gaps);
  // Rows to ask for; 0 = the batch is as good as full.
  [[nodiscard]] static std::int64_t Wanted(const Shard& shard, const ReserveRequest& request,
                                           const BatchBuilder& batch);
  [[nodiscard]] std::optional<ReadWish> NextWish(const Call& call, const ReserveRequest& request, Shard& shard,
                                                 const BatchBuilder& batch);
  Next Take(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);
  std::optional<Next> AddWhatComesFirst(const ReserveRequest& request, Shard& shard, Page& page, bool settled,
                                        BatchBuilder& batch);
  Next Advance(const ReadWish& wish, const ReserveRequest& request, Shard& shard, const Page& page,
               BatchBuilder& batch);
  static Next MoreWaits(BatchBuilder& batch);
  // False = read no further.
  bool TakeRow(const Fetched& row, const Call& call, const ReserveRequest& request, Shard& shard, Page& page,
               BatchBuilder& batch);
  bool TakeAbout(const Fetched& row, AboutColumns at, const Call& call, Shard& shard, Page& page);
  static void PassOver(long long id, Shard& shard);
  void RequireRight();
  // False = the batch takes no more.
  [[nodiscard]] bool AddRow(const Fetched& row, BatchBuilder& batch);
  // On MariaDB, between a read and what is done with its rows. False = some of them may not go out yet.
  bool Settle(const Call& call, const ReserveRequest& request, Shard& shard, Page& page, BatchBuilder& batch);
  [[nodiscard]] static Visibility MissingAfter(const Page& page, const Shard& shard);
  // The lowest id that was missing when `page` was read and is there now. Those that cannot turn up leave `missing`.
  [[nodiscard]] long long LowestThatTurnedUp(const Call& call, const ReserveRequest& request, Shard& shard,
                                             const Page& page, Visibility& missing);
  // False = there was no room for all of them.
  bool AddByIds(std::span<const long long> ids, std::uint64_t most_bytes, Shard& shard, BatchBuilder& batch);
  void AddDue(const ReserveRequest& request, Shard& shard, Page& page, BatchBuilder& batch);
  void TakeStep(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);
  // On MariaDB: has one of the ids that were missing turned up since?
  bool TurnedUp(const ReserveRequest& request, const Shard& shard, ReadWish wish, const Page& page, long long last);
  Next AddLate(std::vector<long long> ids, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);

  Client& client_;
  const sql::Tables& tables_;
  std::atomic<bool>& troubled_;
  std::map<std::uint32_t, Shard> shards_;
  Captured captured_;
  std::vector<MappedType> types_;
  bool writes_anyway_ = false;  // in this call: the user may write although the server is read-only
};

// From a row whose columns are those of read_sql.hpp. Views into the row.
[[nodiscard]] Event EventAt(const Fetched& row);

}  // namespace outbox::mysql
