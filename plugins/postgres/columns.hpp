// The columns of the outbox with their actual types. The payload may have one of several types.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/client.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// A copy of a column of the captured table.
struct CopyColumn {
  enum class Form : std::uint8_t { kAsItIs, kTime, kDate };
  std::string column;  // the quoted name of the copy
  std::string type = "text";
  Form form = Form::kAsItIs;  // the conversion of the server's binary value
  bool small = false;         // true if the values are too short to matter for a limit in bytes
};

struct EventColumns {
  std::string payload = "text";  // the type of the payload, such as text, bytea, json or jsonb
  std::string headers = "jsonb";
  std::string database = "0";  // the database's oid
  bool has_places = false;     // true if the table has no partitions or children, so that a ctid alone locates a row

  std::vector<CopyColumn> copies;  // the copies of captured columns; empty if nothing is captured
  // For each of Tables::captured->columns, the index of its copy in `copies`, or one of the following constants.
  static constexpr int kPayload = -1, kKey = -2;  // the outbox's own columns `payload` and `aggregate_id`
  std::vector<int> mapped;
  bool small_keys = false;  // true if the keys of the captured table are too short to matter for a limit in bytes

  // Reads the columns from the catalogue. Errors: throws OUTBOX_BAD_CONFIG if the table does not exist.
  static EventColumns Read(sql::Statements& db, const sql::Tables& tables);

  [[nodiscard]] bool IsBytea() const { return payload == "bytea"; }
  [[nodiscard]] bool IsJson() const { return payload == "json" || payload == "jsonb"; }
  // Returns the list of columns for a SELECT from alias e with a binary result, in the order that EventAt expects.
  // `limit` is the name of a parameter; a payload with more bytes is returned as NULL.
  [[nodiscard]] std::string Select(const std::string& limit = "") const;
  // Returns an SQL expression for the size of a row, in bytes, that counts against the limit of a batch. The expression
  // does not fetch a payload that is stored out of line.
  [[nodiscard]] std::string Size() const;
  // Returns an SQL condition that is true if a single column of the row exceeds `limit`, in bytes. The condition is
  // cheaper than Size(), which matters because the server evaluates it for every row that is read.
  [[nodiscard]] std::string Exceeds(const std::string& limit) const;

  // Copies() returns `pattern` once for each copy, with [copy] replaced by the copy's column of alias e, [n] by its
  // number and [type] by its type.
  enum class Large : std::uint8_t { kAlso, kOnly };  // kOnly: only the copies whose values may be long
  [[nodiscard]] std::string Copies(std::string_view pattern, Large large = Large::kAlso) const;
  // Shown() returns SQL for the binary value of a column, in hexadecimal digits; `place` is the entry of the column in
  // `mapped`. Written() converts a value of this form to the form that outbox_event.columns holds.
  [[nodiscard]] std::string Shown(int place) const;
  [[nodiscard]] std::string Written(int place, const std::string& value) const;

 private:
  [[nodiscard]] std::string PayloadSize() const;
  [[nodiscard]] std::string Value(const CopyColumn& copy) const;
  void ReadCopies(sql::Statements& db, const sql::Tables& tables);
};

// Returns SQL that converts a time to microseconds since 1970. The result is NULL for a time outside the years 1 to
// 9999, such as infinity or the last years of the type, whose value no bigint can hold.
[[nodiscard]] std::string MicrosOf(const std::string& time);

// Memory for the parts of an event that have to be formatted.
struct Room {
  char event_id[36];
};

// Returns the event of a row whose columns from `first` on are those of Select(). The event points into `result` and
// `room`.
Event EventAt(const Result& result, int row, int first, Room& room);

// Converts the values of captured rows to the form that outbox_event.columns holds. A reader owns one object for all
// its rows; the returned values point into it.
class ColumnValues {
 public:
  explicit ColumnValues(const EventColumns& columns);
  // Returns the values of one row. The row's copies begin at column `first`, and `key` is its aggregate_id. The values
  // are valid until the next call and as long as `result` lives.
  std::span<const outbox_bytes> At(const Result& result, int row, int first, const Bytes& key);

 private:
  struct Digits {
    char text[24];
  };
  const std::vector<CopyColumn> copies_;
  const std::vector<int> mapped_;
  std::vector<outbox_bytes> of_copies_, values_;
  std::vector<Digits> digits_;
};

}  // namespace outbox::postgres
