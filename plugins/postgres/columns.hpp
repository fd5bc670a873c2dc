// The outbox's columns as they are: the payload has one of several types.
#pragma once

#include <string>

#include "outbox/adapter.hpp"
#include "postgres/client.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

struct EventColumns {
  std::string payload = "text";  // text, bytea, json, jsonb, ...
  std::string headers = "jsonb";
  std::string database = "0";  // its oid
  bool has_places = false;     // the table has no parts, so that a ctid alone is a row's place

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

 private:
  [[nodiscard]] std::string PayloadSize() const;
};

// SQL of a time in microseconds since 1970; NULL outside the years 1 to 9999, as infinity is, and as the last ones of the
// type are, which no bigint holds.
[[nodiscard]] std::string MicrosOf(const std::string& time);

// For what an event has printed.
struct Room {
  char id[24];
  char event_id[36];
};

// From a row whose columns from `first` on are Select()'s. Views into the result and the room.
Event EventAt(const Result& result, int row, int first, Room& room);

}  // namespace outbox::postgres
