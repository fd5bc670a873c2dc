#include "publisher/event_line.hpp"

#include <algorithm>
#include <cstdint>

#include "outbox/base64.hpp"
#include "outbox/text.hpp"
#include "publisher/headers.hpp"
#include "util/escape.hpp"

namespace outbox::publisher {
namespace {

void AppendString(std::string_view text, std::string& to) {
  to += '"';
  while (!text.empty()) {
    const char c = text[0];
    const std::size_t size = std::max<std::size_t>(CharacterSize(text), 1);
    const std::string_view character = text.substr(0, size);
    switch (c) {
      case '"':
        to += "\\\"";
        break;
      case '\\':
        to += "\\\\";
        break;
      case '\n':
        to += "\\n";
        break;
      case '\r':
        to += "\\r";
        break;
      case '\t':
        to += "\\t";
        break;
      default:
        // The line may be shown on a terminal, which must not interpret any character of the event as a command.
        if (const char32_t code = CodePoint(character); util::IsHidden(code))
          util::AppendUnicodeEscape(code, to);
        else
          to += character;
    }
    text.remove_prefix(size);
  }
  to += '"';
}

}  // namespace

void AppendJson(const Bytes& bytes, std::string& to) {
  if (!bytes) {
    to += "null";
  } else if (IsUtf8(*bytes)) {
    AppendString(*bytes, to);
  } else {
    to += "{\"base64\":\"";
    AppendBase64(*bytes, to);
    to += "\"}";
  }
}

void AppendEventLine(const RecordContent& record, std::string& to) {
  const Event& event = record.event;
  const auto field = [&to](const char* name, const Bytes& value) {
    to += name;
    AppendJson(value, to);
  };
  field("{\"topic\":", event.topic);
  field(",\"key\":", event.aggregate_id);
  to += ",\"headers\":{";
  HeaderReader reader(record.packed_headers);
  Header header;
  for (bool first = true; reader.Next(header); first = false) {
    if (!first) to += ',';
    AppendString(header.name, to);
    to += ':';
    AppendJson(header.value, to);
  }
  field("},\"payload\":", event.payload);
  field(",\"event_id\":", event.event_id);
  field(",\"event_type\":", event.event_type);
  to += "}\n";
}

}  // namespace outbox::publisher
