// The values that cross the plugin boundary, as C++ sees them. Views: they own nothing, and live as long as
// the call that brought them unless said otherwise.
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

// Absent and empty are two things: a NULL key is not the key "", a tombstone is not an empty payload.
using Bytes = std::optional<std::string_view>;

inline std::string_view View(outbox_bytes b) {
  return {b.data != nullptr ? static_cast<const char*>(b.data) : "", b.size};
}
inline Bytes Maybe(outbox_bytes b) { return b.data != nullptr ? Bytes(View(b)) : std::nullopt; }
// An empty view may carry a null pointer; across the boundary that would read as absent.
inline outbox_bytes Raw(std::string_view v) { return {v.data() != nullptr ? v.data() : "", v.size()}; }
inline outbox_bytes Raw(const char* v) { return Raw(std::string_view(v)); }
inline outbox_bytes Raw(const std::string& v) { return {v.data(), v.size()}; }
inline outbox_bytes Raw(const Bytes& v) { return v ? Raw(*v) : outbox_bytes{nullptr, 0}; }

// Identifies a row of an outbox. An adapter uses one form for all its rows: numbers, declared as OUTBOX_ROW_IDS_ARE_NUMBERS,
// or bytes, which are never empty. A view: bytes live as long as what they were taken from.
class RowId {
 public:
  constexpr RowId() = default;
  template <std::integral T>
  constexpr RowId(T number) : number_(static_cast<std::int64_t>(number)) {}
  constexpr RowId(std::string_view bytes) : bytes_(bytes.data() != nullptr ? bytes : std::string_view("")) {}
  RowId(const std::string& bytes) : bytes_(bytes) {}
  constexpr RowId(const char* bytes) : bytes_(bytes) {}

  [[nodiscard]] constexpr bool IsNumber() const { return bytes_.data() == nullptr; }
  [[nodiscard]] constexpr std::int64_t number() const { return number_; }    // 0 if this is bytes
  [[nodiscard]] constexpr std::string_view bytes() const { return bytes_; }  // empty if this is a number
  // As people meet it, in logs, JSON and commands.
  [[nodiscard]] std::string ToText() const { return IsNumber() ? std::to_string(number_) : std::string(bytes_); }

  friend constexpr bool operator==(const RowId& a, const RowId& b) {
    return a.IsNumber() == b.IsNumber() && a.number_ == b.number_ && a.bytes_ == b.bytes_;
  }

 private:
  std::string_view bytes_;
  std::int64_t number_ = 0;
};

inline RowId ToRowId(const outbox_row_id& id) {
  return id.bytes.data != nullptr ? RowId(View(id.bytes)) : RowId(id.number);
}
inline outbox_row_id Raw(const RowId& id) {
  return id.IsNumber() ? outbox_row_id{{nullptr, 0}, id.number()} : outbox_row_id{Raw(id.bytes()), 0};
}

// Thrown by an adapter to choose the class of a failure, and with it what the relay does. The text is logged
// and stored: no payload, no password. Any other exception becomes OUTBOX_INTERNAL with its what().
struct Error : std::runtime_error {
  Error(outbox_code error_code, const std::string& text, std::string_view state = {}, std::int32_t native = 0)
      : runtime_error(text), code(error_code), sqlstate(state), native_code(native) {}
  outbox_code code;
  std::string sqlstate;      // five characters where the database has one
  std::int32_t native_code;  // the database's own number, 0 = none
};

struct Event {
  RowId row_id;
  std::string_view event_id;
  Bytes aggregate_id;
  std::string_view event_type, topic;
  Bytes payload;
  Bytes headers;                // JSON object; absent = none
  std::int64_t created_us = 0;  // since 1970 UTC, 0 = unknown
  std::uint32_t attempts = 0;
  std::span<const outbox_bytes> columns = {};  // outbox.columns/1
};

inline Event ToEvent(const outbox_event& e) {
  return {ToRowId(e.row_id), View(e.event_id), Maybe(e.aggregate_id), View(e.event_type), View(e.topic),
          Maybe(e.payload),  Maybe(e.headers), e.created_us,          e.attempts,         {e.columns, e.column_count}};
}

// The same across the boundary; points to what the event points to.
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

enum class Disposition : std::int32_t {
  kRetry = OUTBOX_RETRY,
  kBlock = OUTBOX_BLOCK,
  kDead = OUTBOX_DEAD,
  kDelivered = OUTBOX_DELIVERED
};

// A row that Kafka has. Another row may stand under the same id: meant is only the one with this event id.
struct ConfirmedRow {
  RowId row_id;
  std::string_view event_id;
};

inline ConfirmedRow ToConfirmedRow(const outbox_row& r) { return {ToRowId(r.row_id), View(r.event_id)}; }

// Of the rows of a confirm, those that are still there after their removal was committed.
class KeptRows {
 public:
  KeptRows(std::uint8_t* flags, std::size_t count) : flags_(flags), count_(count) {}
  void Add(std::size_t i) {
    if (flags_ != nullptr && i < count_) flags_[i] = 1;
  }

 private:
  std::uint8_t* flags_;
  std::size_t count_;
};

struct Failure {
  RowId row_id;
  std::string_view event_id;
  std::string_view reason;  // "too_large", "bad_headers", "unknown_topic", ...
  std::string_view text;    // for people
  Disposition disposition = Disposition::kRetry;
  Millis retry_after{0};  // with kRetry, and with kDelivered until its removal is tried again
};

inline Failure ToFailure(const outbox_failure& f) {
  return {
      ToRowId(f.row_id),       View(f.event_id), View(f.reason), View(f.text), static_cast<Disposition>(f.disposition),
      Millis(f.retry_after_ms)};
}

// A C array of T, read as C++ values one at a time; nothing is copied or allocated.
template <class Raw, class Value, Value (*Convert)(const Raw&)>
class Range {
 public:
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

using RowIds = Range<outbox_row_id, RowId, ToRowId>;
using ConfirmedRows = Range<outbox_row, ConfirmedRow, ToConfirmedRow>;
using Failures = Range<outbox_failure, Failure, ToFailure>;
using Events = Range<outbox_event, Event, ToEvent>;

}  // namespace outbox
