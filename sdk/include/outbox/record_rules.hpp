// What Kafka and the relay ask of an event before it can become a record: its topic's name, its headers, its size.
//
// The relay refuses an event that breaks a rule, and the emit helpers refuse it before the insert; both call these functions.
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

// Headers that the relay writes itself, from the columns of the same names.
inline constexpr std::string_view kEventIdHeader = "event_id";
inline constexpr std::string_view kEventTypeHeader = "event_type";

inline constexpr std::size_t kMaxHeaders = 256;            // of one event, without the two above
inline constexpr std::size_t kMaxHeaderName = 255;         // bytes
inline constexpr std::size_t kMaxTopicName = 249;          // bytes; Kafka's own limit
inline constexpr std::size_t kMaxHeadersText = 1'048'576;  // bytes of JSON in the headers column

// Why Kafka can have no topic of this name; nothing if it can.
[[nodiscard]] inline std::optional<std::string> BadTopicName(std::string_view name) {
  if (name.empty()) return "the topic is empty";
  if (name.size() > kMaxTopicName)
    return "the topic's name has " + std::to_string(name.size()) + " bytes, Kafka takes " +
           std::to_string(kMaxTopicName);
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (!std::all_of(name.begin(), name.end(), allowed))
    return R"(the topic's name holds something else than letters, digits, ".", "_" and "-")";
  if (name == "." || name == "..") return "a topic cannot be named \"" + std::string(name) + "\"";
  if (name.starts_with("__")) return "topics that begin with \"__\" are Kafka's own";
  return std::nullopt;
}

// Why no header of a record may have this name; nothing if one may.
[[nodiscard]] inline std::optional<std::string> BadRecordHeaderName(std::string_view name) {
  if (name.empty()) return "a header has no name";
  if (name.size() > kMaxHeaderName)
    return "a header's name is longer than " + std::to_string(kMaxHeaderName) + " bytes";
  if (!IsUtf8(name)) return "a header's name is not UTF-8 text";
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), control)) return "a header's name holds a control character";
  return std::nullopt;
}

// The same of a header that an event brings itself.
[[nodiscard]] inline std::optional<std::string> BadHeaderName(std::string_view name) {
  if (auto bad = BadRecordHeaderName(name)) return bad;
  if (name == kEventIdHeader || name == kEventTypeHeader)
    return "the header \"" + std::string(name) +
           "\" is written by the relay, from the column of that name; leave it out";
  return std::nullopt;
}

// The size of a record batch that holds one record, in bytes, without compression. Kafka compares it with the topic's
// max.message.bytes.
class RecordBatchSize {
 public:
  // `headers` is the number of headers, those of the relay included. Call AddHeader for each of them.
  RecordBatchSize(const std::optional<std::string_view>& key, const std::optional<std::string_view>& value,
                  std::size_t headers)
      : record_(kRecordFields + Field(key) + Field(value) + Varint(headers)) {}

  void AddHeader(std::string_view name, const std::optional<std::string_view>& value) {
    record_ += Field(name) + Field(value);
  }

  [[nodiscard]] std::size_t bytes() const { return kBatchHeader + Varint(record_) + record_; }

 private:
  static constexpr std::size_t kBatchHeader = 61;
  // Attributes, timestamp delta and offset delta of the first record of a batch.
  static constexpr std::size_t kRecordFields = 3;

  // A length as Kafka writes it: zigzag, seven bits a byte.
  static std::size_t Varint(std::size_t length) {
    std::size_t size = 1;
    for (std::size_t v = length << 1; v >= 0x80; v >>= 7) ++size;
    return size;
  }
  static std::size_t Field(const std::optional<std::string_view>& bytes) {
    return bytes ? Varint(bytes->size()) + bytes->size() : 1;
  }

  std::size_t record_;
};

}  // namespace outbox
