// Writes an event as one line of JSON.
#pragma once

#include <string>

#include "publisher/publisher.hpp"

namespace outbox::publisher {

// Appends the event as one line, with the newline at its end.
void AppendEventLine(const RecordContent& record, std::string& to);

// Appends the bytes as JSON: a string, {"base64":"…"} if they are not UTF-8, or null if they are absent.
void AppendJson(const Bytes& bytes, std::string& to);

}  // namespace outbox::publisher
