// The relay's and Kafka's rules, applied while the caller can still do something about it: after the insert, an event
// that cannot be sent holds up its key until an operator looks.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "detail/text.hpp"
#include "event.hpp"

namespace outbox::emit {
namespace detail {

// A length as Kafka writes it: zigzag, seven bits a byte.
inline std::size_t VarintSize(std::size_t length) {
  std::size_t size = 1;
  for (std::size_t v = length << 1; v >= 0x80; v >>= 7) ++size;
  return size;
}

inline std::size_t FieldSize(const Bytes& bytes) { return bytes ? VarintSize(bytes->size()) + bytes->size() : 1; }
inline std::size_t FieldSize(std::size_t size) { return VarintSize(size) + size; }

// Of a record batch that holds this event alone.
inline std::size_t RecordBytes(const NewEvent& event) {
  constexpr std::size_t kBatchHeader = 61, kDeltas = 3;
  std::size_t size = kDeltas + FieldSize(event.aggregate_id) + FieldSize(event.payload);
  size += FieldSize(std::string_view("event_id").size()) + FieldSize(std::size_t{36});
  size += FieldSize(std::string_view("event_type").size()) + FieldSize(event.event_type.size());
  size += VarintSize(2 + event.headers.size());
  for (const Header& header : event.headers) size += FieldSize(header.name.size()) + FieldSize(header.value);
  return kBatchHeader + VarintSize(size) + size;
}

inline void CheckTopic(std::string_view topic, std::size_t index) {
  const auto refuse = [&](const std::string& why) { throw EmitError(EmitCode::kBadTopic, why, index); };
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (topic.empty()) refuse("the topic is empty");
  if (topic.size() > 249) refuse("the topic's name has " + std::to_string(topic.size()) + " bytes, Kafka takes 249");
  if (!std::all_of(topic.begin(), topic.end(), allowed))
    refuse(R"(the topic's name holds something else than letters, digits, ".", "_" and "-")");
  if (topic == "." || topic == "..") refuse("a topic cannot be named \"" + std::string(topic) + "\"");
  if (topic.starts_with("__")) refuse("topics that begin with \"__\" are Kafka's own");
}

inline void CheckHeaders(const std::vector<Header>& headers, std::size_t index) {
  constexpr std::size_t kMostHeaders = 256, kLongestName = 255;
  const auto refuse = [&](const std::string& why) { throw EmitError(EmitCode::kBadHeaders, why, index); };
  if (headers.size() > kMostHeaders) refuse("more than " + std::to_string(kMostHeaders) + " headers");
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const std::string_view name = headers[i].name;
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (name.empty()) refuse("a header has no name");
    if (name.size() > kLongestName) refuse("a header's name is longer than " + std::to_string(kLongestName) + " bytes");
    if (!IsText(name) || std::any_of(name.begin(), name.end(), control))
      refuse("a header's name is no UTF-8 text, or holds a control character");
    if (name == "event_id" || name == "event_type")
      refuse("the header \"" + std::string(name) + "\" is written by the relay; leave it out");
    for (std::size_t before = 0; before < i; ++before)
      if (headers[before].name == name) refuse("the header \"" + std::string(name) + "\" is there twice");
  }
}

}  // namespace detail

// Throws EmitError. Emit calls it; `index` is what the error says of which event it was.
inline void Check(const NewEvent& event, const Options& options = {}, std::size_t index = 0) {
  constexpr auto kNone = std::string_view::npos;
  detail::CheckTopic(event.topic, index);
  if (event.event_type.find('\0') != kNone || (event.aggregate_id && event.aggregate_id->find('\0') != kNone))
    throw EmitError(EmitCode::kBadValue, "the type or the key holds a NUL byte", index);
  if (!event.headers.empty()) detail::CheckHeaders(event.headers, index);
  const std::size_t size = detail::RecordBytes(event);
  if (size > options.max_record_bytes)
    throw EmitError(EmitCode::kTooLarge,
                    "the record has " + std::to_string(size) + " bytes (key, value and headers), the limit is " +
                        std::to_string(options.max_record_bytes),
                    index);
}

}  // namespace outbox::emit
