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

  // Views into this object.
  [[nodiscard]] outbox_event Raw() const;
};

// {"topic", "type", "key"?, "payload", "headers"?, "event_id"?}. A payload that is a text is taken as its bytes,
// {"base64": "..."} as what it encodes, null as a tombstone; any other JSON as its text without blanks, numbers and
// the order of members as they are written. OUTBOX_BAD_DATA: what is wrong, without the payload.
[[nodiscard]] Result<EventLine> ParseEventLine(std::string_view line,
                                               publisher::HeaderValues headers = publisher::HeaderValues::kAsText);

}  // namespace outbox::cli
