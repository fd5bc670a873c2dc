// Writes the headers column: a JSON object, in which a value that is not text is written as {"base64": "…"}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "../../base64.hpp"
#include "../../text.hpp"
#include "../event.hpp"

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
