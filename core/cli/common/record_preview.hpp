// The records that rows of the outbox would go out as, for `check --show`.
#pragma once

#include <cstdint>
#include <string>

#include "cli/common/command.hpp"

namespace outbox::cli {

struct PreviewRequest {
  std::string row;           // a row id, an event id, or kAllRows
  std::uint32_t limit = 20;  // rows, with kAllRows
  bool json = false;
};

inline constexpr const char* kAllRows = "all";

// Prints them, a paragraph or with `json` a line each. Nothing is sent or changed. Errors: OUTBOX_BAD_CONFIG where the record
// section does not fit the columns; OUTBOX_BAD_DATA where no row is meant.
[[nodiscard]] Status ShowRecords(const PreviewRequest& request, const Outbox& outbox);

}  // namespace outbox::cli
