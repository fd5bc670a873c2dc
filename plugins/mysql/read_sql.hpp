// The statements of ReserveNewEvents. `captured` is SQL of the columns of captured rows, with the alias e: they are the last
// columns of each row that brings an event.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mysql/visibility.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

// The first column of each row says what it is; kAbout comes first, then all of kLate, then kRow ascending.
enum Kind : int {
  kAbout,  // token of the shard (NULL = not leased); four times the number of shards, 2 if nothing can be written
           // (then there are no kRow) and 1 if there are failed events
  kLate,   // the id of a row at or below the cursor that may go out
  kRow,    // a row above the cursor
  kThere,  // one that may not go out: another shard's, or it waits
  kDue,    // behind kLate: a failure that is due, kCreated since when, kAttempts whether its row may go out
};
enum Column : unsigned { kKind, kId, kEventId, kKey, kType, kTopic, kPayload, kHeaders, kCreated, kAttempts };
// Of kAbout. Numbers among numbers: a text of ours beside one of the application's may have no common collation.
struct AboutColumns {
  unsigned token, shape;
};
constexpr AboutColumns kInRowAbout{kId, kAttempts};
// Where new rows come alone, each has it behind its own columns.
constexpr AboutColumns kInEachRow{kAttempts + 1, kAttempts + 2};
// And then, where ids are missing, whether one of them is there.
constexpr unsigned kAnyLate = kAttempts + 3;

// The failure that was looked at last, in the order in which they fall due.
struct DuePosition {
  std::string time = "1970-01-01 00:00:01";  // as the server shows it
  long long row = 0;
};

struct ReadWish {
  std::uint32_t shard = 0, shards = 1;
  bool troubled = false;       // look at failures; without it every row of the shard may go out
  bool writes_anyway = false;  // whatever the server says of itself
  long long cursor = 0;
  std::int64_t rows = 0;         // above the cursor, at most
  std::vector<IdRange> missing;  // at or below it
  // Nothing but new rows, without kAbout: both servers write the rows of a union down before they send them. Says nothing
  // where there are none. Only without failures.
  bool alone = false;
  DuePosition due = {};
  std::int64_t failures = 0;  // to look at
  // The step of a rescan: rows up to this one, and none that has failed; 0 = an ordinary read.
  long long upto = 0;
};

// No more late ids than that come with one read.
constexpr std::size_t kMaxLate = 20'000;

using Captured = std::vector<std::string>;
[[nodiscard]] std::string ReadSql(const sql::Tables& tables, const ReadWish& wish, const Captured& captured);
// kLate and kThere alone, of the columns up to kId.
[[nodiscard]] std::string LateSql(const sql::Tables& tables, const ReadWish& wish);
// Whole rows, ascending.
[[nodiscard]] std::string ByIdsSql(const sql::Tables& tables, std::span<const long long> ids, bool troubled,
                                   const Captured& captured);
// To be read uncommitted. The first row of each range that is there, and where they lie close together others, too.
[[nodiscard]] std::string FirstOfEachSql(const sql::Tables& tables, std::span<const IdRange> ranges);
// The last row of all.
[[nodiscard]] std::string LastSql(const sql::Tables& tables);

}  // namespace outbox::mysql
