// The checks that the relay makes on each batch that a plugin returns.
#pragma once

#include <optional>
#include <string>

#include "storage/store.hpp"

namespace outbox::storage {

// Returns a text that names the first rule of outbox/plugin.h that the batch breaks, or nothing if it breaks none. The
// function does not check whether a row of the batch is already outstanding; Claim checks that.
[[nodiscard]] std::optional<std::string> BrokenRule(const outbox_batch& batch, const ReserveRequest& order,
                                                    bool numbers_rows);

// Returns a text that names the rule that a row id breaks; NULL if it breaks none.
[[nodiscard]] const char* BrokenRowId(const outbox_row_id& id, bool numbers_rows);

// Adds the rows of the batch to `outstanding`. If a row is outstanding already, or occurs twice in the batch, adds no
// row and returns a text that names the event.
[[nodiscard]] std::optional<std::string> Claim(const Batch& batch, OutstandingRows& outstanding);

}  // namespace outbox::storage
