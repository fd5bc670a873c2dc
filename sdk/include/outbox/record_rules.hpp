// The rules that an event must keep to become a record of Kafka: for the name of its topic, its headers and its size.
//
// The relay refuses an event that breaks a rule, and the emit helpers refuse it before the insert. Both call these
// functions.
//
// Thread: any.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "text.hpp"

namespace outbox {

// The names of the headers that the relay writes itself, from the columns of the same names.
inline constexpr std::string_view kEventIdHeader = "event_id";
inline constexpr std::string_view kEventTypeHeader = "event_type";

// Largest number of headers of one event, without event_id and event_type.
inline constexpr std::size_t kMaxHeaders = 256;
// Largest size of a header's name, in bytes.
inline constexpr std::size_t kMaxHeaderName = 255;
// Largest size of a topic's name, in bytes. This is Kafka's own limit.
inline constexpr std::size_t kMaxTopicName = 249;
// Largest size of the JSON text in the headers column, in bytes.
inline constexpr std::size_t kMaxHeadersText = 1'048'576;

// Returns why a topic of Kafka cannot have this name; nothing if it can.
[[nodiscard]] inline std::optional<std::string> BadTopicName(std::string_view name) {
  if (name.empty()) return "the topic is empty";
  if (name.size() > kMaxTopicName)
    return "the topic's name has " + std::to_string(name.size()) + " bytes, but Kafka allows at most " +
           std::to_string(kMaxTopicName);
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (!std::all_of(name.begin(), name.end(), allowed))
    return R"(the topic's name contains characters other than letters, digits, ".", "_" and "-")";
  if (name == "." || name == "..") return "a topic cannot be named \"" + std::string(name) + "\"";
  if (name.starts_with("__")) return "names of topics that begin with \"__\" are reserved for Kafka itself";
  return std::nullopt;
}

// Returns why a header of a record must not have this name; nothing if it may.
[[nodiscard]] inline std::optional<std::string> BadRecordHeaderName(std::string_view name) {
  if (name.empty()) return "a header has no name";
  if (name.size() > kMaxHeaderName)
    return "a header's name is longer than " + std::to_string(kMaxHeaderName) + " bytes";
  if (!IsUtf8(name)) return "a header's name is not UTF-8 text";
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), control)) return "a header's name contains a control character";
  return std::nullopt;
}

// Returns why a header of an event must not have this name; nothing if it may. Unlike the relay, an event must not set
// the headers that the relay writes.
[[nodiscard]] inline std::optional<std::string> BadHeaderName(std::string_view name) {
  if (auto bad = BadRecordHeaderName(name)) return bad;
  if (name == kEventIdHeader || name == kEventTypeHeader)
    return "the header \"" + std::string(name) +
           "\" is written by the relay, from the column of that name; leave it out";
  return std::nullopt;
}

// Computes the size of a record batch that holds one record, in bytes, without compression. Kafka compares this size
// with the topic's max.message.bytes.
class RecordBatchSize {
 public:
  // `headers` is the number of headers, including those of the relay. REQUIRES: AddHeader is called once for each of
  // them.
  RecordBatchSize(const std::optional<std::string_view>& key, const std::optional<std::string_view>& value,
                  std::size_t headers)
      : record_(kRecordFields + Field(key) + Field(value) + Varint(headers)) {}

  // Adds the size of a header; an absent value is a header without a value.
  void AddHeader(std::string_view name, const std::optional<std::string_view>& value) {
    record_ += Field(name) + Field(value);
  }

  // Returns the size of the record batch, in bytes.
  [[nodiscard]] std::size_t bytes() const { return kBatchHeader + Varint(record_) + record_; }

 private:
  // Size of the fields of a record batch that precede its records, in bytes.
  static constexpr std::size_t kBatchHeader = 61;
  // Size of the attributes, timestamp delta and offset delta of the first record of a batch, in bytes.
  static constexpr std::size_t kRecordFields = 3;

  // Returns the size of a length as Kafka writes it: in zigzag form, with seven bits in each byte.
  static std::size_t Varint(std::size_t length) {
    std::size_t size = 1;
    for (std::size_t v = length << 1; v >= 0x80; v >>= 7) ++size;
    return size;
  }
  // Returns the size of a field with its length. The length of an absent field is -1, which takes one byte.
  static std::size_t Field(const std::optional<std::string_view>& bytes) {
    return bytes ? Varint(bytes->size()) + bytes->size() : 1;
  }

  std::size_t record_;
};

}  // namespace outbox
