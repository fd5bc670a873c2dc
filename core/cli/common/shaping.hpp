// Makes the shaper from the record section of the configuration. A shaper makes records from the rows of an outbox.
#pragma once

#include <memory>
#include <vector>

#include "config/config.hpp"
#include "outbox/adapter.hpp"
#include "record/shaper.hpp"

namespace outbox::cli {

// The purpose of a shaper. The purposes differ only if the configuration leaves rows unchanged.
enum class ShaperFor {
  kDelivery,  // For delivery. If rows remain unchanged, no shaper is needed and MakeShaper() returns nullptr.
  kAnyRow  // For any row. MakeShaper() always returns a shaper; if rows remain unchanged, its records equal the rows.
};

// Makes a shaper for rows that carry the values of `columns`. Errors: OUTBOX_BAD_CONFIG with every part of the record
// section that does not fit the columns, each with its location in the configuration.
[[nodiscard]] Result<std::shared_ptr<const record::Shaper>> MakeShaper(const config::Config& config,
                                                                       const std::vector<Column>& columns,
                                                                       ShaperFor use = ShaperFor::kDelivery);

}  // namespace outbox::cli
