// The values that cross the plugin boundary, as C++ types, and their conversions to and from the C types of plugin.h.
//
// They are views: they own nothing. The bytes to which they refer live as long as the call that passes them, unless the
// comment of the type says otherwise.
//
// Thread: any.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "outbox/plugin.h"

namespace outbox {

using Millis = std::chrono::milliseconds;

// Bytes that may be absent. Absent differs from empty: a NULL key is not the key "", and a tombstone is not an empty
// payload.
using Bytes = std::optional<std::string_view>;

// Returns the bytes; absent bytes become an empty view.
inline std::string_view View(outbox_bytes b) {
  return {b.data != nullptr ? static_cast<const char*>(b.data) : "", b.size};
}
// Returns the bytes, or nothing if they are absent.
inline Bytes Maybe(outbox_bytes b) { return b.data != nullptr ? Bytes(View(b)) : std::nullopt; }
// Returns the C form of bytes. A null pointer in an empty view is replaced, because in the C form it means that the
// bytes are absent. Only absent Bytes become absent.
inline outbox_bytes Raw(std::string_view v) { return {v.data() != nullptr ? v.data() : "", v.size()}; }
inline outbox_bytes Raw(const char* v) { return Raw(std::string_view(v)); }
inline outbox_bytes Raw(const std::string& v) { return {v.data(), v.size()}; }
inline outbox_bytes Raw(const Bytes& v) { return v ? Raw(*v) : outbox_bytes{nullptr, 0}; }

// Identifies a row of an outbox. An adapter uses one form for all its rows: numbers, which it declares by
// OUTBOX_ROW_IDS_ARE_NUMBERS, or bytes, which are never empty. A row id of bytes is a view, and valid as long as the
// bytes from which it was constructed.
class RowId {
 public:
  constexpr RowId() = default;
  // An adapter passes the id that it has, without naming the form: the constructors are implicit.
  // NOLINTBEGIN(google-explicit-constructor)
  template <std::integral T>
  constexpr RowId(T number) : number_(static_cast<std::int64_t>(number)) {}
  constexpr RowId(std::string_view bytes) : bytes_(bytes.data() != nullptr ? bytes : std::string_view("")) {}
  RowId(const std::string& bytes) : bytes_(bytes) {}
  constexpr RowId(const char* bytes) : bytes_(bytes) {}
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] constexpr bool IsNumber() const { return bytes_.data() == nullptr; }
  // Returns the number; 0 if the id consists of bytes.
  [[nodiscard]] constexpr std::int64_t number() const { return number_; }
  // Returns the bytes; an empty view if the id is a number.
  [[nodiscard]] constexpr std::string_view bytes() const { return bytes_; }
  // Returns the id as logs, JSON and commands show it.
  [[nodiscard]] std::string ToText() const { return IsNumber() ? std::to_string(number_) : std::string(bytes_); }

  friend constexpr bool operator==(const RowId& a, const RowId& b) {
    return a.IsNumber() == b.IsNumber() && a.number_ == b.number_ && a.bytes_ == b.bytes_;
  }

 private:
  std::string_view bytes_;
  std::int64_t number_ = 0;
};

// Converts a row id from its C form.
inline RowId ToRowId(const outbox_row_id& id) {
  return id.bytes.data != nullptr ? RowId(View(id.bytes)) : RowId(id.number);
}
// Converts a row id to its C form.
inline outbox_row_id Raw(const RowId& id) {
  return id.IsNumber() ? outbox_row_id{{nullptr, 0}, id.number()} : outbox_row_id{Raw(id.bytes()), 0};
}

// The exception by which an adapter reports a failure. The code decides what the relay does next. The text is logged
// and stored, so it must not contain a payload or a password. Any other exception is converted to OUTBOX_INTERNAL with
// the text of its what().
struct Error : std::runtime_error {
  Error(outbox_code error_code, const std::string& text, std::string_view state = {}, std::int32_t native = 0)
      : runtime_error(text), code(error_code), sqlstate(state), native_code(native) {}
  outbox_code code;
  std::string sqlstate;      // The five characters of the SQLSTATE; empty = none.
  std::int32_t native_code;  // The database's own error number; 0 = none.
};

// An event, as outbox_event describes it.
struct Event {
  RowId row_id;
  std::string_view event_id;
  Bytes aggregate_id;  // The key; absent = no key and no order.
  std::string_view event_type, topic;
  Bytes payload;                // Absent = the record is a tombstone.
  Bytes headers;                // A JSON object; absent = no headers.
  std::int64_t created_us = 0;  // Microseconds since 1970 UTC; 0 = unknown.
  // Number of failed attempts; at least 1 for a row that has ever failed, even if an operator has reset the counter.
  std::uint32_t attempts = 0;
  // Values of the columns that Columns::DescribeColumns describes, in its order; empty = the row has no columns.
  std::span<const outbox_bytes> columns = {};
};

// Converts an event from its C form.
inline Event ToEvent(const outbox_event& e) {
  return {ToRowId(e.row_id), View(e.event_id), Maybe(e.aggregate_id), View(e.event_type), View(e.topic),
          Maybe(e.payload),  Maybe(e.headers), e.created_us,          e.attempts,         {e.columns, e.column_count}};
}

// Converts an event to its C form, which refers to the same bytes as the event.
inline outbox_event ToRaw(const Event& e) {
  outbox_event raw{};
  raw.row_id = Raw(e.row_id);
  raw.event_id = Raw(e.event_id);
  raw.aggregate_id = Raw(e.aggregate_id);
  raw.event_type = Raw(e.event_type);
  raw.topic = Raw(e.topic);
  raw.payload = Raw(e.payload);
  raw.headers = Raw(e.headers);
  raw.created_us = e.created_us;
  raw.attempts = e.attempts;
  raw.columns = e.columns.data();
  raw.column_count = e.columns.size();
  return raw;
}

// The disposition of a failed row: due again after Failure::retry_after, blocked together with the later rows of its
// key, moved to the dead letters, or recorded as delivered because the database refuses to remove it.
enum class Disposition : std::int32_t {
  kRetry = OUTBOX_RETRY,
  kBlock = OUTBOX_BLOCK,
  kDead = OUTBOX_DEAD,
  kDelivered = OUTBOX_DELIVERED
};

// A row whose event Kafka has acknowledged. Another row may have the same row id, so the row is meant only if its event
// id matches too.
struct ConfirmedRow {
  RowId row_id;
  std::string_view event_id;
};

// Converts a row from its C form.
inline ConfirmedRow ToConfirmedRow(const outbox_row& r) { return {ToRowId(r.row_id), View(r.event_id)}; }

// Collects those rows of a confirm that still exist after their removal was committed.
class KeptRows {
 public:
  // `flags` has `count` elements, one for each row, or is nullptr. REQUIRES: the array lives as long as this object.
  KeptRows(std::uint8_t* flags, std::size_t count) : flags_(flags), count_(count) {}
  // Reports that the i-th row of the confirm still exists. An index beyond the last row is ignored.
  void Add(std::size_t i) {
    if (flags_ != nullptr && i < count_) flags_[i] = 1;
  }

 private:
  std::uint8_t* flags_;
  std::size_t count_;
};

// The failure of one row. The row is meant only if both its row id and its event id match.
struct Failure {
  RowId row_id;
  std::string_view event_id;
  // A short word for programs: "too_large", "bad_headers", "unknown_topic", ...
  std::string_view reason;
  // An explanation for people, without any payload.
  std::string_view text;
  Disposition disposition = Disposition::kRetry;
  // With kRetry the time until the row is due again; with kDelivered the time until its removal is tried again.
  Millis retry_after{0};
};

// Converts a failure from its C form.
inline Failure ToFailure(const outbox_failure& f) {
  return {
      ToRowId(f.row_id),       View(f.event_id), View(f.reason), View(f.text), static_cast<Disposition>(f.disposition),
      Millis(f.retry_after_ms)};
}

// A view of a C array, whose elements are converted to C++ values one at a time; nothing is copied or allocated.
template <class Raw, class Value, Value (*Convert)(const Raw&)>
class Range {
 public:
  // `stride` is the distance between two elements, in bytes.
  Range(const Raw* first, std::size_t count, std::size_t stride = sizeof(Raw))
      : first_(reinterpret_cast<const char*>(first)), count_(count), stride_(stride) {}
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  Value operator[](std::size_t i) const { return Convert(*reinterpret_cast<const Raw*>(first_ + i * stride_)); }

  class Iterator {
   public:
    Iterator(const Range* range, std::size_t at) : range_(range), at_(at) {}
    Value operator*() const { return (*range_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const Range* range_;
    std::size_t at_;
  };
  [[nodiscard]] Iterator begin() const { return {this, 0}; }
  [[nodiscard]] Iterator end() const { return {this, count_}; }

 private:
  const char* first_;
  std::size_t count_, stride_;
};

// The arrays that the functions of an adapter receive.
using RowIds = Range<outbox_row_id, RowId, ToRowId>;
using ConfirmedRows = Range<outbox_row, ConfirmedRow, ToConfirmedRow>;
using Failures = Range<outbox_failure, Failure, ToFailure>;
using Events = Range<outbox_event, Event, ToEvent>;

}  // namespace outbox
