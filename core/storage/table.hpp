// The checks on a plugin's tables. They are made before any function of the checked table is called.
#pragma once

#include <string_view>

#include "outbox/plugin.h"
#include "util/status.hpp"

namespace outbox::storage {

// Checks that the table is long enough, that it has a name and a version, and that no required function is NULL. A
// table may be used only after this check has passed. Errors: OUTBOX_BAD_CONFIG; the text names the broken rule.
[[nodiscard]] Status CheckTable(const outbox_plugin* table);

// Returns the table of one of the plugin's extensions, or nullptr if the plugin lacks the extension. The table is a
// struct_size followed by functions. A function may be NULL only if the header of the extension says so. `size` is the
// size of the table in this relay's headers, in bytes. Errors: OUTBOX_BAD_CONFIG if the table is shorter, or if a
// required function is NULL.
[[nodiscard]] Result<const void*> FindExtension(const outbox_plugin& plugin, const char* id, std::size_t size);

}  // namespace outbox::storage
