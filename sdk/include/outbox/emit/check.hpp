// Checks an event by the rules of Kafka and the relay before it is inserted, while the caller can still correct it.
// After the insert, an event that cannot be sent holds back its key until an operator acts.
#pragma once

#include <string>
#include <string_view>

#include "../record_rules.hpp"
#include "event.hpp"

namespace outbox::emit {
namespace detail {

// Returns the size of the event's record batch, in bytes, without compression.
inline std::size_t RecordBytes(const NewEvent& event) {
  constexpr std::string_view kEventId = "00000000-0000-0000-0000-000000000000";
  RecordBatchSize size(event.aggregate_id, event.payload, 2 + event.headers.size());
  size.AddHeader(kEventIdHeader, kEventId);
  size.AddHeader(kEventTypeHeader, event.event_type);
  for (const Header& header : event.headers) size.AddHeader(header.name, header.value);
  return size.bytes();
}

inline void CheckHeaders(const std::vector<Header>& headers, std::size_t index) {
  const auto refuse = [&](const std::string& why) { throw EmitError(EmitCode::kBadHeaders, why, index); };
  if (headers.size() > kMaxHeaders) refuse("more than " + std::to_string(kMaxHeaders) + " headers");
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (const auto bad = BadHeaderName(headers[i].name)) refuse(*bad);
    for (std::size_t before = 0; before < i; ++before)
      if (headers[before].name == headers[i].name)
        refuse("the header \"" + std::string(headers[i].name) + "\" occurs twice");
  }
}

}  // namespace detail

// Checks everything that does not need the database: topic, type, key, headers and size. Emit calls it for each event.
// `index` is the number of the event in its call, for EmitError::index. Thread: any.
//
// Errors: throws EmitError with kBadTopic, kBadValue, kBadHeaders or kTooLarge.
inline void Check(const NewEvent& event, const Options& options = {}, std::size_t index = 0) {
  constexpr auto kNone = std::string_view::npos;
  if (const auto bad = BadTopicName(event.topic)) throw EmitError(EmitCode::kBadTopic, *bad, index);
  if (event.event_type.find('\0') != kNone || (event.aggregate_id && event.aggregate_id->find('\0') != kNone))
    throw EmitError(EmitCode::kBadValue, "the event type or the key contains a NUL byte", index);
  if (!event.headers.empty()) detail::CheckHeaders(event.headers, index);
  const std::size_t size = detail::RecordBytes(event);
  if (size > options.max_record_bytes)
    throw EmitError(EmitCode::kTooLarge,
                    "the record has " + std::to_string(size) + " bytes (key, value and headers), the limit is " +
                        std::to_string(options.max_record_bytes),
                    index);
}

}  // namespace outbox::emit
