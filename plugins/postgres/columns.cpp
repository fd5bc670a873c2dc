#include "postgres/columns.hpp"

#include <charconv>
#include <map>

#include "postgres/capture.hpp"
#include "sql/sql_template.hpp"
#include "sql/time.hpp"

namespace outbox::postgres {
namespace {

constexpr std::int64_t kPostgresEpoch = 946'684'800'000'000;  // 2000-01-01 in microseconds since 1970

// Formats a UUID; this costs less than a cast on the server.
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

constexpr std::int32_t kPostgresEpochDay = 10'957;  // 2000-01-01 in days since 1970

constexpr std::string_view kInfinity = "infinity", kMinusInfinity = "-infinity";

// Formats a time as microseconds since 1970. For the last years of the type this number exceeds a signed 64-bit
// integer.
std::string_view PrintTime(std::int64_t time, char* from, char* to) {
  if (time == INT64_MAX) return kInfinity;
  if (time == INT64_MIN) return kMinusInfinity;
  const char* const end =
      time < 0
          ? std::to_chars(from, to, time + kPostgresEpoch).ptr
          : std::to_chars(from, to, static_cast<std::uint64_t>(time) + static_cast<std::uint64_t>(kPostgresEpoch)).ptr;
  return {from, static_cast<std::size_t>(end - from)};
}

std::string_view PrintDate(std::int64_t date, char* from, char* to) {
  if (date == INT32_MAX) return kInfinity;
  if (date == INT32_MIN) return kMinusInfinity;
  const char* const end = std::to_chars(from, to, date + kPostgresEpochDay).ptr;
  return {from, static_cast<std::size_t>(end - from)};
}

std::string_view Print(CopyColumn::Form form, std::string_view binary, char* from, char* to) {
  const std::int64_t number = GetNumber(binary);
  return form == CopyColumn::Form::kTime ? PrintTime(number, from, to) : PrintDate(number, from, to);
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
  if (tables.captured) columns.ReadCopies(db, tables);
  return columns;
}

void EventColumns::ReadCopies(sql::Statements& db, const sql::Tables& tables) {
  std::map<std::string, std::string> types;
  for (const sql::Row& row : db.Run({"select cast(attname as text), format_type(atttypid, null) from pg_attribute where"
                                     " attrelid = cast(cast(:name as text) as regclass) and not attisdropped",
                                     {tables.event}}))
    types.emplace(row[0].value_or(""), row[1].value_or(""));
  const std::vector<MappedType> sources = FindTypes(db, tables);
  std::map<std::string, int> places;
  for (std::size_t i = 0; i < tables.captured->columns.size(); ++i) {
    const sql::MappedColumn& column = tables.captured->columns[i];
    if (column.role == OUTBOX_ROLE_KEY) small_keys = sources.at(i).small;
    if (column.role == OUTBOX_ROLE_PARTITION) small_keys = small_keys && sources.at(i).small;
    if (column.copy.empty()) {
      mapped.push_back(kPayload);
      continue;
    }
    // The copy of the key is not fetched if it holds the same text as aggregate_id, because each fetched column costs
    // time.
    if (column.role == OUTBOX_ROLE_KEY && sources.at(i).copy == "text" &&
        tables.captured->Find(OUTBOX_ROLE_PARTITION) < 0) {
      mapped.push_back(kKey);
      continue;
    }
    const auto [place, is_new] = places.emplace(column.copy, static_cast<int>(copies.size()));
    mapped.push_back(place->second);
    if (!is_new) continue;
    const auto type = types.find(column.copy);
    if (type == types.end())
      throw Error(OUTBOX_BAD_CONFIG,
                  "table " + tables.event + " has no copy of column \"" + column.name + "\"; " + sql::kMigrate);
    CopyColumn copy{tables.Column(column.copy)};
    copy.small = sources.at(i).small;
    if (type->second.starts_with("timestamp")) copy.form = CopyColumn::Form::kTime;
    if (type->second == "date") copy.form = CopyColumn::Form::kDate;
    if (copy.form != CopyColumn::Form::kAsItIs || type->second == "bytea") copy.type = type->second;
    copies.push_back(copy);
  }
}

// Returns the SQL expression for a copy. A copy of the type text is cast to text, so that it can be read even if
// somebody has changed the type of its column.
std::string EventColumns::Value(const CopyColumn& copy) const {
  return copy.type == "text" ? "cast(e." + copy.column + " as text)" : "e." + copy.column;
}

std::string EventColumns::Copies(std::string_view pattern, Large large) const {
  std::string all;
  for (std::size_t i = 0; i < copies.size(); ++i)
    if (large == Large::kAlso || !copies[i].small)
      all += sql::Fill(pattern, {{"[n]", std::to_string(i)}, {"[type]", copies[i].type}, {"[copy]", Value(copies[i])}});
  return all;
}

std::string EventColumns::Shown(int place) const {
  if (place == kPayload) return "null";
  if (place == kKey) return "encode(convert_to(cast(e.aggregate_id as text), 'UTF8'), 'hex')";
  const CopyColumn& of = copies.at(static_cast<std::size_t>(place));
  const std::string value = Value(of);
  if (of.type == "bytea") return "encode(" + value + ", 'hex')";
  if (of.form == CopyColumn::Form::kDate) return "encode(date_send(" + value + "), 'hex')";
  if (of.form == CopyColumn::Form::kTime)
    return "encode(" + std::string(of.type == "timestamp with time zone" ? "timestamptz" : "timestamp") + "_send(" +
           value + "), 'hex')";
  return "encode(convert_to(" + value + ", 'UTF8'), 'hex')";
}

std::string EventColumns::Written(int place, const std::string& value) const {
  const CopyColumn::Form form = place < 0 ? CopyColumn::Form::kAsItIs : copies.at(static_cast<std::size_t>(place)).form;
  char digits[24];
  return form == CopyColumn::Form::kAsItIs ? value : std::string(Print(form, value, digits, std::end(digits)));
}

ColumnValues::ColumnValues(const EventColumns& columns)
    : copies_(columns.copies),
      mapped_(columns.mapped),
      of_copies_(columns.copies.size()),
      values_(columns.mapped.size(), {nullptr, 0}),
      digits_(columns.copies.size()) {}

std::span<const outbox_bytes> ColumnValues::At(const Result& result, int row, int first, const Bytes& key) {
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    const Bytes value = result.Maybe(row, first + static_cast<int>(i));
    const CopyColumn::Form form = copies_[i].form;
    if (!value || form == CopyColumn::Form::kAsItIs)
      of_copies_[i] = Raw(value);
    else
      of_copies_[i] = Raw(Print(form, *value, digits_[i].text, std::end(digits_[i].text)));
  }
  for (std::size_t i = 0; i < mapped_.size(); ++i) {
    if (mapped_[i] >= 0) values_[i] = of_copies_[static_cast<std::size_t>(mapped_[i])];
    if (mapped_[i] == EventColumns::kKey) values_[i] = Raw(key);
  }
  return values_;
}

std::string EventColumns::Select(const std::string& limit) const {
  const std::string value = IsJson() ? "cast(e.payload as text)" : "e.payload";
  // Event type, topic and headers of captured rows are not fetched, because the trigger leaves them empty, and a column
  // that is not fetched costs nothing.
  const bool captured = !mapped.empty();
  return std::string("e.id, e.event_id, e.aggregate_id, ") +
         (captured ? "null::text as event_type, null::text as topic, " : "e.event_type, e.topic, ") +
         (limit.empty() ? value : "case when " + PayloadSize() + " <= " + limit + " then " + value + " end") +
         " as payload, " + (captured ? "null::text" : "cast(e.headers as text)") + " as headers, e.created_at";
}

// Returns the SQL expression for the size of the payload, in bytes. octet_length reads the length of a stored text or
// bytea from its header. The length of a jsonb can be read only by unpacking it, so it is estimated from the packed
// size; BatchBuilder counts the exact size.
std::string EventColumns::PayloadSize() const {
  return IsJson() ? "pg_column_size(e.payload) * 4" : "octet_length(e.payload)";
}

std::string EventColumns::Size() const {
  std::string size = "coalesce(" + PayloadSize() + ", 0) + coalesce(octet_length(e.aggregate_id), 0)";
  if (mapped.empty()) return size + " + coalesce(pg_column_size(e.headers), 0)";
  return size + Copies(" + coalesce(octet_length([copy]), 0)", Large::kOnly);
}

std::string EventColumns::Exceeds(const std::string& limit) const {
  const std::string body = PayloadSize() + " > " + limit, key = " or octet_length(e.aggregate_id) > " + limit;
  if (mapped.empty()) return body + key + " or pg_column_size(e.headers) > " + limit;
  return body + (small_keys ? "" : key) + Copies(" or octet_length([copy]) > " + limit, Large::kOnly);
}

Event EventAt(const Result& result, int row, int first, Room& room) {
  Event e;
  e.row_id = result.Number(row, first);
  e.event_id = PrintUuid(result.Text(row, first + 1), room.event_id);
  e.aggregate_id = result.Maybe(row, first + 2);
  e.event_type = result.Text(row, first + 3);
  e.topic = result.Text(row, first + 4);
  e.payload = result.Maybe(row, first + 5);
  e.headers = result.Maybe(row, first + 6);
  const std::int64_t created = result.Number(row, first + 7);
  // The values at both ends of the range of a timestamptz stand for 'infinity' and '-infinity'.
  const bool known =
      !result.IsNull(row, first + 7) && created > -kPostgresEpoch && created < INT64_MAX - kPostgresEpoch;
  e.created_us = known ? sql::KnownMicros(created + kPostgresEpoch) : 0;
  return e;
}

}  // namespace outbox::postgres
