// The headers column: a JSON object, in which a value that is no text is {"base64": "…"}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "../event.hpp"
#include "text.hpp"

namespace outbox::emit::detail {

inline void AppendJsonText(std::string_view text, std::string& json) {
  constexpr const char* kDigits = "0123456789abcdef";
  json += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20) {
      json.append("\\u00");
      json += kDigits[byte >> 4];
      json += kDigits[byte & 15];
    } else {
      json += c;
    }
  }
  json += '"';
}

inline void AppendBase64(std::string_view bytes, std::string& to) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t b = 0; b < 3; ++b)
      group = group << 8 | (b < count ? static_cast<unsigned char>(bytes[i + b]) : 0U);
    for (std::size_t d = 0; d < 4; ++d) to += d <= count ? kDigits[group >> (18 - 6 * d) & 63] : '=';
  }
}

inline std::string HeadersJson(const std::vector<Header>& headers) {
  std::string json = "{";
  for (const Header& header : headers) {
    if (json.size() > 1) json += ',';
    AppendJsonText(header.name, json);
    json += ':';
    if (!header.value) {
      json.append("null");
    } else if (IsText(*header.value)) {
      AppendJsonText(*header.value, json);
    } else {
      json.append("{\"base64\":\"");
      AppendBase64(*header.value, json);
      json.append("\"}");
    }
  }
  return json += '}';
}

}  // namespace outbox::emit::detail
