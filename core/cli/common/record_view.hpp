// Formats an event and its state for the output of commands. Values from rows are escaped, so that each line of output
// stays one line whatever the values contain.
#pragma once

#include <string>

#include "outbox/adapter.hpp"
#include "util/json.hpp"

namespace outbox::cli {

// Returns the name of an OUTBOX_STATE_... value, such as "waiting". JSON output contains these names, so they never
// change.
[[nodiscard]] const char* StateWord(std::int32_t state);

// Returns true if relays do not retry the removal of this delivered row, because the row came back after each removal.
// Only `outbox-relay unblock` then removes the row.
[[nodiscard]] bool IsLeftToOperator(const Record& record);

// Returns a JSON string, {"base64": "..."} if the bytes are not UTF-8, or null if they are absent.
[[nodiscard]] util::Json ToJson(const Bytes& bytes);
// Returns the event as a JSON object, whose members never change their names. Bytes that are not UTF-8 become
// {"base64": "..."}. With `contents`, payload and headers are included.
[[nodiscard]] util::Json ToJson(const Record& record, bool contents);

// Returns the headings of the columns in Line().
[[nodiscard]] std::string HeadLine();
// Formats a failed event as a line.
[[nodiscard]] std::string Line(const Record& record);
// Formats an event as a paragraph, with a line for each property. With `contents`, payload and headers are included.
[[nodiscard]] std::string Paragraph(const Record& record, bool contents);

}  // namespace outbox::cli
