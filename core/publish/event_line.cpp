#include "publish/event_line.hpp"

#include <cstdint>

#include "publish/base64.hpp"
#include "publish/headers.hpp"

namespace outbox::publish {
namespace {

// The size of the character that begins at i; 0 = not UTF-8 (overlong, surrogate, above U+10FFFF, cut).
std::size_t CharacterAt(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(i);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - i < size) return 0;
  const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(i + 1) < low || byte(i + 1) > high) return 0;
  for (std::size_t k = 2; k < size; ++k) {
    if ((byte(i + k) & 0xc0) != 0x80) return 0;
  }
  return size;
}

bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = CharacterAt(text, i);
    if (size == 0) return false;
    i += size;
  }
  return true;
}

void AppendString(std::string_view text, std::string& to) {
  static constexpr char kHex[] = "0123456789abcdef";
  to += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
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
        if (byte >= 0x20 && byte != 0x7f) {
          to += c;
        } else {
          to += "\\u00";
          to += kHex[byte >> 4];
          to += kHex[byte & 15];
        }
    }
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

void AppendEventLine(const Event& event, std::string_view packed_headers, std::string& to) {
  const auto field = [&to](const char* name, const Bytes& value) {
    to += name;
    AppendJson(value, to);
  };
  field("{\"topic\":", event.topic);
  field(",\"key\":", event.aggregate_id);
  to += ",\"headers\":{";
  HeaderReader reader(packed_headers);
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

}  // namespace outbox::publish
