// The outbox's columns as they are: the payload has one of several types.
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
  std::string column;  // in quotes
  std::string type = "text";
  Form form = Form::kAsItIs;  // how the server's binary value is written
  bool small = false;         // too short to count against a limit in bytes
};

struct EventColumns {
  std::string payload = "text";  // text, bytea, json, jsonb, ...
  std::string headers = "jsonb";
  std::string database = "0";  // its oid
  bool has_places = false;     // the table has no parts, so that a ctid alone is a row's place

  std::vector<CopyColumn> copies;  // none where nothing is captured
  // For each of Tables::captured->columns the place of its copy in `copies`, or one of these.
  static constexpr int kPayload = -1, kKey = -2;  // the outbox's own columns `payload` and `aggregate_id`
  std::vector<int> mapped;
  bool small_keys = false;  // of a captured table

  // Throws BAD_CONFIG where there is no table.
  static EventColumns Read(sql::Statements& db, const sql::Tables& tables);

  [[nodiscard]] bool IsBytea() const { return payload == "bytea"; }
  [[nodiscard]] bool IsJson() const { return payload == "json" || payload == "jsonb"; }
  // A list for select, from alias e, for a binary result. Its order is that of EventAt. A payload above `limit`, which is
  // a parameter's name, is NULL.
  [[nodiscard]] std::string Select(const std::string& limit = "") const;
  // What the row weighs against the limit in bytes, without fetching a payload that is stored apart.
  [[nodiscard]] std::string Size() const;
  // Is any part of that above `limit`? Cheaper, and there for every row.
  [[nodiscard]] std::string Exceeds(const std::string& limit) const;

  // For each copy the pattern with [copy] as its column of alias e, [n] as its number and [type] as its type.
  enum class Large : std::uint8_t { kAlso, kOnly };  // kOnly: those whose values may be long
  [[nodiscard]] std::string Copies(std::string_view pattern, Large large = Large::kAlso) const;
  // Of one in `mapped`: SQL of its binary value in hexadecimal digits, and what outbox_event.columns holds of such a value.
  [[nodiscard]] std::string Shown(int place) const;
  [[nodiscard]] std::string Written(int place, const std::string& value) const;

 private:
  [[nodiscard]] std::string PayloadSize() const;
  [[nodiscard]] std::string Value(const CopyColumn& copy) const;
  void ReadCopies(sql::Statements& db, const sql::Tables& tables);
};

// SQL of a time in microseconds since 1970; NULL outside the years 1 to 9999, as infinity is, and as the last ones of the
// type are, which no bigint holds.
[[nodiscard]] std::string MicrosOf(const std::string& time);

// For what an event has printed.
struct Room {
  char event_id[36];
};

// From a row whose columns from `first` on are Select()'s. Views into the result and the room.
Event EventAt(const Result& result, int row, int first, Room& room);

// The values of a captured row as outbox_event.columns holds them. One for all rows of a reader: it is what they point to.
class ColumnValues {
 public:
  explicit ColumnValues(const EventColumns& columns);
  // The copies of the row begin at column `first`, and `key` is its aggregate_id. Valid until the next call, and as long as the
  // result.
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
