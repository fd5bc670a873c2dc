// An event as one line of JSON.
#pragma once

#include <string>

#include "publisher/publisher.hpp"

namespace outbox::publisher {

// Appends the line with its newline.
void AppendEventLine(const RecordContent& record, std::string& to);

// Appends a JSON string, or {"base64":"…"} for what is not UTF-8, or null for what is absent.
void AppendJson(const Bytes& bytes, std::string& to);

}  // namespace outbox::publisher
