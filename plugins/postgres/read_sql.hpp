// The statements of ReserveNewEvents. They return rows of the kinds and columns below. The values of the parameters $1
// low, $2 cursor and the watched transactions come from Visibility.
#pragma once

#include <string>

#include "postgres/columns.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// The kind of a row of the result. A row of the kind kRow may have NULL as its kind, which costs the server less.
enum Kind : int {
  kRow = 0,      // a new row
  kLate = 1,     // the ids of late rows, in kIds
  kCut = 2,      // a new row that exceeds the limit in bytes; only its id is used
  kNotOurs = 3,  // a new row that belongs to another shard or must wait; only its id is used
  kTail = 4,     // the last row, which describes the read; kId is the token of the shard, see below
  // The failed rows that are due again; this row follows kLate. kIds holds the ids of these rows, and kId the number of
  // failures that were examined. kCreated and kType hold the due time and the row id of the last examined failure.
  kDue = 5
};
// The columns of the result, and the second meaning that some columns have in the tail, or in the results of
// RowsAloneSql() and OurRowsAloneSql().
enum Column : int { kKind, kId, kEventId, kKey, kType, kTopic, kPayload, kHeaders, kCreated, kAttempts, kIds };
constexpr int kCopies = kIds + 1;  // the first of EventColumns::copies, if there are any
// in results of RowsAloneSql() and OurRowsAloneSql(): the row's place in the table (ctid), or NULL
constexpr int kPlace = kIds;
// In the tail: not NULL = nothing was read, because a watched transaction has ended. In the tail of RowsAloneSql() and
// OurRowsAloneSql(): "shared" = nothing was read, because there are several shards; "troubled" = nothing was read,
// because there are failed events.
constexpr int kEnded = kHeaders;
constexpr int kLockers = kKey;        // in the tail: the transactions that may still insert late rows
constexpr int kNextXid = kType;       // in the tail: the next transaction id, from which the full ids are derived
constexpr int kTroubled = kAttempts;  // in the tail: 1 = there are failed events
constexpr int kReadOnly = kTopic;     // in the tail: not NULL = the session cannot write

// Returns the statement for an ordinary read. If `weighed` is true, $4 is the limit for the sum of all rows. If it is
// false, $4 is the limit for each row, which costs less and is correct as long as rows are small.
//
// $1 low  $2 cursor  $3 limit of rows  $4 limit in bytes  $5 watched transactions  $6 shard
// $7 $8 due time and row id of the last failure that was examined  $9 number of failures to examine
std::string ReadSql(const sql::Tables& tables, const EventColumns& columns, bool weighed);

// Returns the statement for a step of a rescan: late rows, and rows above the cursor that have never failed.
// $1 low  $2 cursor  $3 limit of rows  $4 limit in bytes  $5 watched transactions  $6 shard  $7 highest id to read
std::string RescanSql(const sql::Tables& tables, const EventColumns& columns);

// Returns the statement that reads new rows alone, that is, without late rows and failures: rows above the cursor, with
// kPlace and without attempts. The tail lists no transactions. The statement reads nothing if there are several shards
// or failed events, see kEnded.
// $1 shard  $2 cursor  $3 limit of rows  $4 limit in bytes for each row
std::string RowsAloneSql(const sql::Tables& tables, const EventColumns& columns);
// Returns the statement that reads new rows alone for one of several shards. It is otherwise like that of
// RowsAloneSql(), but reads nothing only if there are failed events.
// $1 shard  $2 cursor  $3 limit of rows  $4 limit in bytes for each row  $5 highest id to read
std::string OurRowsAloneSql(const sql::Tables& tables, const EventColumns& columns);
// Returns the statement that returns one row: a tail with kLockers and kNextXid.
std::string LockersSql(const sql::Tables& tables, const EventColumns& columns);
// Returns the statement for the last id that was drawn from the sequence; its result is 0 if that id is not known.
std::string DrawnSql(const sql::Tables& tables);
// Returns the statement that reads rows by their ids; they have the kinds kRow and kCut. $1 ids  $2 limit in bytes
std::string LateSql(const sql::Tables& tables, const EventColumns& columns);

}  // namespace outbox::postgres
