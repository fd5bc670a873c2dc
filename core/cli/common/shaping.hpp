// From the record section of the configuration to what makes records of this outbox's rows.
#pragma once

#include <memory>
#include <vector>

#include "config/config.hpp"
#include "outbox/adapter.hpp"
#include "record/shaper.hpp"

namespace outbox::cli {

enum class ShaperFor {
  kDelivery,  // nullptr = a row is a record as it is
  kAnyRow     // one that makes the same record of it
};

// `columns` are those that rows bring. Errors: OUTBOX_BAD_CONFIG with all that does not fit them, each with its place.
[[nodiscard]] Result<std::shared_ptr<const record::Shaper>> MakeShaper(const config::Config& config,
                                                                       const std::vector<Column>& columns,
                                                                       ShaperFor use = ShaperFor::kDelivery);

}  // namespace outbox::cli
