// What a shared library says about itself, read from the file without running any of its code.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "util/status.hpp"

namespace outbox::storage {

// The symbols that the dynamic linker would find in it. OUTBOX_BAD_CONFIG where the file is no shared library for
// this machine; the text is the reason, without the file's name.
//
// Boost.DLL's library_info is not used for this: it reads the symbol table that strip removes, so that every packaged
// plugin would look empty.
[[nodiscard]] Result<std::vector<std::string>> ExportedSymbols(const std::filesystem::path& file);

}  // namespace outbox::storage
