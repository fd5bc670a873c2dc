// The checks on a plugin's tables, before any of their functions is called.
#pragma once

#include <string_view>

#include "outbox/plugin.h"
#include "util/status.hpp"

namespace outbox::storage {

// Long enough, named, and every slot that may not be NULL is filled. Must have passed before the table is used.
// OUTBOX_BAD_CONFIG; the text says which rule is broken.
[[nodiscard]] Status CheckTable(const outbox_plugin* table);

// One of the plugin's extension tables: a struct_size and then functions, of which none may be NULL. nullptr where the
// plugin has none; OUTBOX_BAD_CONFIG where it is broken. `size` is what this relay knows of it.
[[nodiscard]] Result<const void*> FindExtension(const outbox_plugin& plugin, const char* id, std::size_t size);

}  // namespace outbox::storage
