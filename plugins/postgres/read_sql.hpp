// The statements of ReserveNewEvents.
#pragma once

#include <string>

#include "postgres/columns.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// What a row of the result is, and its columns.
enum Kind : int {
  kRow = 0,      // a new row; NULL means it, too, and costs the server less
  kLate = 1,     // kIds: rows that turned up late
  kCut = 2,      // a new row that is too much; only its id
  kNotOurs = 3,  // a new row that is another shard's, or waits; only its id
  kTail = 4,     // the last one, about the read: kId the shard's token, see below
  // Behind kLate. kIds: rows that are due again; kId: how many failures were looked at; kCreated and kType: the time and the
  // row of the last of them.
  kDue = 5
};
enum Column : int { kKind, kId, kEventId, kKey, kType, kTopic, kPayload, kHeaders, kCreated, kAttempts, kIds };
constexpr int kCopies = kIds + 1;     // the first of EventColumns::copies, if there are any
constexpr int kPlace = kIds;          // of rows alone: where the row lies, or NULL
constexpr int kEnded = kHeaders;      // of the tail: not NULL = a watched transaction has ended, and nothing was read;
                                      // of rows alone: "shared" or "troubled", and nothing was read
constexpr int kLockers = kKey;        // of the tail: transactions that may still bring rows
constexpr int kNextXid = kType;       // of the tail: where their numbers lie
constexpr int kTroubled = kAttempts;  // of the tail: 1 = there are failed events
constexpr int kReadOnly = kTopic;     // of the tail: not NULL = nothing can be written
// $1 low  $2 cursor  $3 rows  $4 bytes  $5 watched transactions  $6 shard  $7 $8 time and row of the last failure that was
// looked at  $9 failures to look at
// `weighed`: $4 is the limit of all rows together. Otherwise it is that of each row, which costs less and is right as long
// as rows are small.
std::string ReadSql(const sql::Tables& tables, const EventColumns& columns, bool weighed);
// A step of a rescan: late rows and rows above the cursor, none that has failed.
// $1 low  $2 cursor  $3 rows  $4 bytes  $5 watched transactions  $6 shard  $7 the last id to look at
std::string RescanSql(const sql::Tables& tables, const EventColumns& columns);
// The rows above the cursor and nothing else, with kPlace and without attempts; the tail names no transactions. Where
// there are several shards, there is more to look at.
// $1 shard  $2 cursor  $3 rows  $4 bytes of each row
std::string RowsAloneSql(const sql::Tables& tables, const EventColumns& columns);
// Likewise those of one of several shards.  $5 the last id to look at
std::string OurRowsAloneSql(const sql::Tables& tables, const EventColumns& columns);
// One row, a tail with kLockers and kNextXid.
std::string LockersSql(const sql::Tables& tables, const EventColumns& columns);
// The last id that has been drawn; 0 = not known.
std::string DrawnSql(const sql::Tables& tables);
// $1 ids  $2 bytes. Rows of the kinds kRow and kCut.
std::string LateSql(const sql::Tables& tables, const EventColumns& columns);

}  // namespace outbox::postgres
