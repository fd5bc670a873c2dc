// Makes the shaper, which makes records of an outbox's rows, from the record section of the configuration.
#pragma once

#include <memory>
#include <vector>

#include "config/config.hpp"
#include "outbox/adapter.hpp"
#include "record/shaper.hpp"

namespace outbox::cli {

// What the shaper is used for. The uses differ only if the configuration leaves rows as they are.
enum class ShaperFor {
  kDelivery,  // Delivery needs no shaper then, and MakeShaper returns nullptr.
  kAnyRow     // MakeShaper always returns a shaper, which then makes records that are the same as the rows.
};

// Makes a shaper for rows that bring the values of `columns`. Errors: OUTBOX_BAD_CONFIG with everything in the record
// section that does not fit the columns, each with its location in the configuration.
[[nodiscard]] Result<std::shared_ptr<const record::Shaper>> MakeShaper(const config::Config& config,
                                                                       const std::vector<Column>& columns,
                                                                       ShaperFor use = ShaperFor::kDelivery);

}  // namespace outbox::cli
