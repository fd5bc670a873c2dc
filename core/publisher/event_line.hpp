// An event as one line of JSON.
#pragma once

#include <string>
#include <string_view>

#include "outbox/event.hpp"

namespace outbox::publisher {

// Appends the line with its newline. `packed_headers` is what PackHeaders made of the event's headers.
void AppendEventLine(const Event& event, std::string_view packed_headers, std::string& to);

// Appends a JSON string, or {"base64":"…"} for what is not UTF-8, or null for what is absent.
void AppendJson(const Bytes& bytes, std::string& to);

}  // namespace outbox::publisher
