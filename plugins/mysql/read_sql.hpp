// Builds the SQL of ReserveNewEvents. The parameter `captured` of several functions holds one SQL expression for each
// column of a captured row; e is the alias of the outbox in these expressions. Their values are the last columns of
// each row of an answer that contains events.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mysql/visibility.hpp"
#include "sql/tables.hpp"

namespace outbox::mysql {

// The kind of a row of the answer, which is the first column of the row. The rows come in this order: kAbout, the rows
// at or below the cursor, the failures that are due, the rows above the cursor in ascending order.
enum Kind : int {
  // The state that the read found: the token of the shard (NULL = not leased), and the sum of four times the number of
  // shards, 2 if nothing can be written (then there are no new rows), and 1 if there are failed events.
  kAbout,
  // The id of a row at or below the cursor that may be sent.
  kLate,
  // A row above the cursor that may be sent.
  kRow,
  // A row that must not be sent, because it belongs to another shard or has to wait.
  kThere,
  // A failure that is due. kCreated holds the time since which it has been due, and kAttempts is 1 if its row may be
  // sent, otherwise 0.
  kDue,
};
enum Column : unsigned { kKind, kId, kEventId, kKey, kType, kTopic, kPayload, kHeaders, kCreated, kAttempts };
// Positions of the two columns of a kAbout row: the token, and the sum. Both values are numbers in numeric columns,
// because in a union a text of the relay and a text of the application may have no common collation.
struct AboutColumns {
  unsigned token, shape;
};
constexpr AboutColumns kInRowAbout{kId, kAttempts};
// Positions of the token and the sum in a query that reads only new rows (ReadWish::alone) and therefore returns no
// kAbout row: they follow the other columns of each row.
constexpr AboutColumns kInEachRow{kAttempts + 1, kAttempts + 2};
// Position of the column that follows the token and the sum if ids are missing: 1 if the row of a missing id exists,
// otherwise 0.
constexpr unsigned kAnyLate = kAttempts + 3;

// The failure that was checked last, in the order in which failures fall due.
struct DuePosition {
  std::string time = "1970-01-01 00:00:01";  // the time in the form in which the server shows it
  long long row = 0;
};

// Describes the rows that one statement is to read.
struct ReadWish {
  std::uint32_t shard = 0, shards = 1;
  // True if the query checks which events have failed. If false, every row of the shard may be sent.
  bool troubled = false;
  // True if new rows are read even if the server reports that it is read-only.
  bool writes_anyway = false;
  long long cursor = 0;
  // Maximum number of rows above the cursor.
  std::int64_t rows = 0;
  // The missing ids at or below the cursor.
  std::vector<IdRange> missing;
  // True if the query reads only the new rows and returns no kAbout row, because both servers materialise a UNION in a
  // temporary table before they send it. If there are no new rows, the result is empty, so the state is unknown.
  // REQUIRES: troubled is false.
  bool alone = false;
  DuePosition due = {};
  // Maximum number of failures to check.
  std::int64_t failures = 0;
  // The highest id that a step of a rescan reads; the step reads no row that has failed. 0 = an ordinary read, not a
  // rescan.
  long long upto = 0;
};

// Maximum number of rows at or below the cursor that one read returns.
constexpr std::size_t kMaxLate = 20'000;

using Captured = std::vector<std::string>;
[[nodiscard]] std::string ReadSql(const sql::Tables& tables, const ReadWish& wish, const Captured& captured);
// Returns SQL that reads only the rows at or below the cursor, with the columns kKind and kId.
[[nodiscard]] std::string LateSql(const sql::Tables& tables, const ReadWish& wish);
// Returns SQL that reads all columns of the rows with these ids, in ascending order of the ids. `troubled` is true if
// the query also reads the numbers of attempts.
[[nodiscard]] std::string ByIdsSql(const sql::Tables& tables, std::span<const long long> ids, bool troubled,
                                   const Captured& captured);
// Returns SQL for a dirty read that finds the first row that exists in each range. If the ranges lie close together,
// the read also finds other rows.
[[nodiscard]] std::string FirstOfEachSql(const sql::Tables& tables, std::span<const IdRange> ranges);
// Returns SQL for the id of the last row of the table.
[[nodiscard]] std::string LastSql(const sql::Tables& tables);

}  // namespace outbox::mysql
