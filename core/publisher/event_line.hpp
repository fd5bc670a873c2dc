// Writes an event as one line of JSON.
#pragma once

#include <string>

#include "publisher/publisher.hpp"

namespace outbox::publisher {

// Appends the line, with the newline at its end.
void AppendEventLine(const RecordContent& record, std::string& to);

// Appends a JSON string; {"base64":"…"} if the bytes are not UTF-8; null if they are absent.
void AppendJson(const Bytes& bytes, std::string& to);

}  // namespace outbox::publisher
