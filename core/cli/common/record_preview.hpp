// Shows the records that would be sent for rows of the outbox, for `check --show`.
#pragma once

#include <cstdint>
#include <string>

#include "cli/common/command.hpp"

namespace outbox::cli {

struct PreviewRequest {
  std::string row;           // A row id, an event id, or kAllRows.
  std::uint32_t limit = 20;  // The maximum number of rows, with kAllRows.
  bool json = false;         // True to print one JSON object per line.
};

inline constexpr const char* kAllRows = "all";

// Prints the record of each requested row, as a paragraph or, with `json`, as a line. Sends and changes nothing.
// Errors: OUTBOX_BAD_CONFIG if the record section does not fit the columns, OUTBOX_BAD_DATA if the row does not exist.
[[nodiscard]] Status ShowRecords(const PreviewRequest& request, const Outbox& outbox);

}  // namespace outbox::cli
