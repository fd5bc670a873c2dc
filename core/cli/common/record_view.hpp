// An event and what became of it, as commands print it. What comes from rows may hold anything: a line stays one line.
#pragma once

#include <string>

#include "outbox/adapter.hpp"
#include "util/json.hpp"

namespace outbox::cli {

[[nodiscard]] const char* StateWord(std::int32_t state);  // of the JSON; never renamed

// True if no relay retries the removal of this delivered row by itself: something puts the row back, and only
// `outbox-relay unblock` removes it.
[[nodiscard]] bool IsLeftToOperator(const Record& record);

// A JSON string, {"base64": "..."} for what is not text, null for what is absent.
[[nodiscard]] util::Json ToJson(const Bytes& bytes);
// Members are never renamed. What is not text is {"base64": "..."}. With `contents` also payload and headers.
[[nodiscard]] util::Json ToJson(const Record& record, bool contents);

[[nodiscard]] std::string HeadLine();  // above lines
[[nodiscard]] std::string Line(const Record& record);
[[nodiscard]] std::string Paragraph(const Record& record, bool contents);  // a line for each of its properties

}  // namespace outbox::cli
