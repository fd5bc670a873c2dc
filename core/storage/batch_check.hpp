// What the relay looks at in each batch before it believes it.
#pragma once

#include <optional>
#include <string>

#include "storage/store.hpp"

namespace outbox::storage {

// The first rule of outbox/plugin.h that the batch breaks, in words; nothing where it keeps them all.
[[nodiscard]] std::optional<std::string> BrokenRule(const outbox_batch& batch, const ReserveRequest& order);

}  // namespace outbox::storage
