// The checks that the relay makes on each batch that a plugin returns.
#pragma once

#include <optional>
#include <string>

#include "storage/store.hpp"

namespace outbox::storage {

// Returns a text that names the first rule of outbox/plugin.h that the batch breaks; nothing = it breaks none. Whether
// a row of the batch is outstanding already is checked by Claim.
[[nodiscard]] std::optional<std::string> BrokenRule(const outbox_batch& batch, const ReserveRequest& order,
                                                    bool numbers_rows);

// Returns the rule that a row id breaks; NULL = it breaks none.
[[nodiscard]] const char* BrokenRowId(const outbox_row_id& id, bool numbers_rows);

// Adds the rows of the batch to `outstanding`. If one of them is outstanding already, or occurs twice in the batch, no
// row is added, and the returned text names the event.
[[nodiscard]] std::optional<std::string> Claim(const Batch& batch, OutstandingRows& outstanding);

}  // namespace outbox::storage
