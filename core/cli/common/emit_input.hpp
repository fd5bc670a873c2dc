// One line of `outbox-relay emit`: a JSON object that becomes a row of the outbox.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "outbox/plugin.h"
#include "publisher/headers.hpp"
#include "util/status.hpp"

namespace outbox::cli {

struct EventLine {
  std::string topic, type;
  std::optional<std::string> key, payload, headers, event_id;

  // Returns the event as the plugin ABI represents it. The result points into this object, which must outlive the
  // result.
  [[nodiscard]] outbox_event Raw() const;
};

// Parses an object with the members topic, type and payload, and optionally key, headers and event_id. A payload that
// is a JSON string becomes the bytes of that string; {"base64": "..."} becomes the decoded bytes; null becomes a
// tombstone. Any other JSON becomes its own text without white space; numbers and the order of members remain as
// written.
//
// Errors: OUTBOX_BAD_DATA; the text says what is wrong and does not contain the payload.
[[nodiscard]] Result<EventLine> ParseEventLine(std::string_view line,
                                               publisher::HeaderValues headers = publisher::HeaderValues::kAsText);

}  // namespace outbox::cli
