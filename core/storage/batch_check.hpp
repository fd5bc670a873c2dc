// What the relay checks in each batch that a plugin returns.
#pragma once

#include <optional>
#include <string>

#include "storage/store.hpp"

namespace outbox::storage {

// The first rule of outbox/plugin.h that the batch breaks, in words; nothing where it keeps them all. Which rows it may
// bring is checked by Claim.
[[nodiscard]] std::optional<std::string> BrokenRule(const outbox_batch& batch, const ReserveRequest& order,
                                                    bool numbers_rows);

// The same for a row id alone; NULL where it keeps the rules.
[[nodiscard]] const char* BrokenRowId(const outbox_row_id& id, bool numbers_rows);

// Adds the rows of the batch to those that are outstanding. Where one is there already, none is added, and the answer says
// which event it was.
[[nodiscard]] std::optional<std::string> Claim(const Batch& batch, OutstandingRows& outstanding);

}  // namespace outbox::storage
