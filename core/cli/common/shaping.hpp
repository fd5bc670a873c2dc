// From the record section of the configuration to what makes records of this outbox's rows.
#pragma once

#include <memory>

#include "config/config.hpp"
#include "record/shaper.hpp"
#include "storage/store.hpp"

namespace outbox::cli {

enum class ShaperFor {
  kDelivery,  // nullptr = a row is a record as it is
  kAnyRow     // one that makes the same record of it
};

// Errors: OUTBOX_BAD_CONFIG with all that does not fit the columns, each with its place; or
// what the storage answers.
[[nodiscard]] Result<std::shared_ptr<const record::Shaper>> MakeShaper(const config::Config& config,
                                                                       storage::Session& session, const Call& call,
                                                                       ShaperFor use = ShaperFor::kDelivery);

}  // namespace outbox::cli
