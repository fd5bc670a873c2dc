// Implements ReserveNewEvents on MySQL and MariaDB. Each statement that reads events is one snapshot (see Visibility),
// and its rows are processed one at a time as they arrive.
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

// Reads shards for one session. The adapter owns the object. Thread: the thread of the session.
class Reader {
 public:
  // `troubled` is true if the outbox contains failed events. The reader updates it for the sessions that confirm.
  // REQUIRES: all arguments outlive this object.
  Reader(Client& client, const sql::Tables& tables, std::atomic<bool>& troubled)
      : client_(client), tables_(tables), troubled_(troubled) {}
  // Sets the SQL expressions that read the columns of captured rows, and the types of these columns. REQUIRES:
  // Capture() is called before the first read of captured rows.
  void Capture(Captured captured, std::vector<MappedType> types);
  void Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch);

 private:
  // Progress of a pass through the failures that are due.
  struct Due {
    DuePosition at{};
    bool all = false;   // true if all failures that are due were checked
    bool left = false;  // true if the batch had no room for some of these failures
    Shares shares{};
  };
  // Progress of a rescan, which runs beside the normal reading. `end` is 0 while there is no rescan.
  struct Rescan {
    long long cursor = 0, end = 0;
    Visibility missing{};        // the ids that were missing at the end of the last step
    std::set<long long> seen{};  // ids of rows that the rescan has returned since ids began to be missing
    sql::ScanEstimate stretch{};
  };
  // The position up to which a shard has been read. It is lost with the session, and the shard is then read from its
  // oldest row.
  struct Shard {
    std::uint64_t token = 0;
    long long cursor = 0;      // id of the last row that was read
    Visibility gaps;           // the missing ids up to the cursor
    std::size_t ranges = 0;    // maximum number of ranges of missing ids in one statement
    bool behind = false;       // true if the last read returned as many rows as it asked for; there may be more
    bool troubled = false;     // true if there were failed events at the last read
    std::uint32_t shards = 1;  // number of shards at the last read
    std::int64_t page = 64;    // number of rows to ask for in one statement; grows while pages are full and small
    sql::ScanEstimate stretch{};
    std::size_t row_bytes = 1;  // average size of the rows of the last page, in bytes
    // True if the next read asks only for late rows, because the new rows that followed the late rows were too large to
    // skip.
    bool late_only = false;
    Due due{};
    Rescan rescan{};
  };
  // Maximum number of rows that one statement examines.
  static constexpr std::int64_t kMaxRows = 20'000;
  // Maximum number of ranges of missing ids in one statement. kManyRanges applies if too many rows lie between ranges
  // that were joined.
  static constexpr std::size_t kMaxRanges = 200, kManyRanges = 10'000;
  enum class Next { kDone, kAgain };
  // A row that was read while a lower id was missing.
  struct Unsure {
    long long id = 0;
    std::size_t before = 0;  // number of events in the batch before the row was added
  };
  // The part of an answer that has arrived so far.
  struct Page {
    std::vector<long long> late, due;
    std::size_t late_seen = 0;
    std::int64_t failures = 0, failures_seen = 0;  // number of failures to check, and number of checked failures
    std::vector<Unsure> unsure;                    // on MariaDB: rows that the cursor has not passed yet, ascending
    std::int64_t rows = 0, ours = 0;
    std::size_t bytes = 0;
    bool known = false;        // true if the read has returned its state (kAbout)
    bool asked_wrong = false;  // true if the state shows that another statement is needed
    bool read_only = false;    // true if the state shows that the server is read-only, so no event could be confirmed
    bool full = false;         // true if the batch accepted no further event
  };

  // Makes a dirty read of the missing ids for which a dirty read is due, and records the result in `gaps`.
  void Look(Visibility& gaps);
  // Reads the last id of the table with a dirty read and records it in `gaps`, unless an id was recorded a moment ago.
  void LearnTaken(Visibility& gaps);
  // Returns the number of rows that the next statement asks for; 0 = the batch is practically full.
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
  // Processes one row of the answer. Returns false if no further row is to be read.
  bool TakeRow(const Fetched& row, const Call& call, const ReserveRequest& request, Shard& shard, Page& page,
               BatchBuilder& batch);
  bool TakeAbout(const Fetched& row, AboutColumns at, const Call& call, Shard& shard, Page& page);
  static void PassOver(long long id, Shard& shard);
  void RequireRight();
  // Adds the event of the row to the batch. Returns false if the batch accepts no further event.
  [[nodiscard]] bool AddRow(const Fetched& row, BatchBuilder& batch);
  // Checks on MariaDB, after a read, which rows of that read may be sent, and removes the other rows from the batch.
  // Returns false if some rows must not be sent yet.
  bool Settle(const Call& call, const ReserveRequest& request, Shard& shard, Page& page, BatchBuilder& batch);
  [[nodiscard]] static Visibility MissingAfter(const Page& page, const Shard& shard);
  // Returns the lowest id that was missing when `page` was read and whose row exists now; kNone = there is none.
  // Removes from `missing` the ids whose rows cannot appear any more.
  [[nodiscard]] long long LowestThatTurnedUp(const Call& call, const ReserveRequest& request, Shard& shard,
                                             const Page& page, Visibility& missing);
  // Adds the rows with these ids to the batch, and stops once they exceed `most_bytes` bytes. Returns false if some
  // rows were not added.
  bool AddByIds(std::span<const long long> ids, std::uint64_t most_bytes, Shard& shard, BatchBuilder& batch);
  void AddDue(const ReserveRequest& request, Shard& shard, Page& page, BatchBuilder& batch);
  void TakeStep(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);
  // Returns true on MariaDB if the row of a missing id has appeared since the rows of this rescan step were read.
  // `last` is the id up to which the step has read.
  bool TurnedUp(const ReserveRequest& request, const Shard& shard, ReadWish wish, const Page& page, long long last);
  Next AddLate(std::vector<long long> ids, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);

  Client& client_;
  const sql::Tables& tables_;
  std::atomic<bool>& troubled_;
  std::map<std::uint32_t, Shard> shards_;
  Captured captured_;
  std::vector<MappedType> types_;
  // True if the current call has found that the user can write although the server is read-only.
  bool writes_anyway_ = false;
};

// Returns the event in a row whose columns are those of read_sql.hpp. The strings of the event point into the row.
[[nodiscard]] Event EventAt(const Fetched& row);

}  // namespace outbox::mysql
