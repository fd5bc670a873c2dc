#include "postgres/columns.hpp"

#include <charconv>

#include "sql/time.hpp"

namespace outbox::postgres {
namespace {

constexpr std::int64_t kPostgresEpoch = 946'684'800'000'000;  // 2000-01-01 in microseconds since 1970

// Cheaper than a cast on the server.
std::string_view PrintUuid(std::string_view bytes, char (&room)[36]) {
  constexpr char kDigits[] = "0123456789abcdef";
  char* at = room;
  for (std::size_t i = 0; i < bytes.size() && at + 2 <= std::end(room); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    *at++ = kDigits[byte >> 4U];
    *at++ = kDigits[byte & 15U];
  }
  return {room, static_cast<std::size_t>(at - room)};
}

}  // namespace

std::string MicrosOf(const std::string& time) {
  return "case when " + time + " >= timestamptz '0001-01-01 UTC' and " + time +
         " < timestamptz '10000-01-01 UTC' then cast(extract(epoch from " + time + ") * 1000000 as bigint) end";
}

EventColumns EventColumns::Read(sql::Statements& db, const sql::Tables& tables) {
  EventColumns columns;
  for (const sql::Row& row :
       db.Run({"select cast(a.attname as text), format_type(a.atttypid, null), cast(d.oid as text),"
               " cast(c.relkind = 'r' and not c.relhassubclass as text) from pg_attribute a, pg_class c, pg_database d"
               " where c.oid = cast(cast(:name as text) as regclass) and a.attrelid = c.oid and not a.attisdropped"
               " and a.attname in ('payload', 'headers') and d.datname = current_database()",
               {tables.event}})) {
    (row[0] == "payload" ? columns.payload : columns.headers) = row[1].value_or("");
    columns.database = row[2].value_or("0");
    columns.has_places = row[3] == "true";
  }
  return columns;
}

std::string EventColumns::Select(const std::string& limit) const {
  const std::string value = IsJson() ? "cast(e.payload as text)" : "e.payload";
  return "e.id, e.event_id, e.aggregate_id, e.event_type, e.topic, " +
         (limit.empty() ? value : "case when " + PayloadSize() + " <= " + limit + " then " + value + " end") +
         " as payload, cast(e.headers as text) as headers, e.created_at";
}

// octet_length reads the length of a stored text or bytea from its header. A stored jsonb has to be unpacked for that, so
// it is guessed from the packed size; the batch itself counts exactly.
std::string EventColumns::PayloadSize() const {
  return IsJson() ? "pg_column_size(e.payload) * 4" : "octet_length(e.payload)";
}

std::string EventColumns::Size() const {
  return "coalesce(" + PayloadSize() +
         ", 0) + coalesce(octet_length(e.aggregate_id), 0) + coalesce(pg_column_size(e.headers), 0)";
}

std::string EventColumns::Exceeds(const std::string& limit) const {
  return PayloadSize() + " > " + limit + " or octet_length(e.aggregate_id) > " + limit +
         " or pg_column_size(e.headers) > " + limit;
}

Event EventAt(const Result& result, int row, int first, Room& room) {
  const auto end = std::to_chars(room.id, std::end(room.id), result.Number(row, first)).ptr;
  Event e;
  e.row_id = {room.id, static_cast<std::size_t>(end - room.id)};
  e.event_id = PrintUuid(result.Text(row, first + 1), room.event_id);
  e.aggregate_id = result.Maybe(row, first + 2);
  e.event_type = result.Text(row, first + 3);
  e.topic = result.Text(row, first + 4);
  e.payload = result.Maybe(row, first + 5);
  e.headers = result.Maybe(row, first + 6);
  const std::int64_t created = result.Number(row, first + 7);
  // 'infinity' is at the ends of the range.
  const bool known =
      !result.IsNull(row, first + 7) && created > -kPostgresEpoch && created < INT64_MAX - kPostgresEpoch;
  e.created_us = known ? sql::KnownMicros(created + kPostgresEpoch) : 0;
  return e;
}

}  // namespace outbox::postgres
