// Reads the exported symbols of a shared library from its file, without running any of its code.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "util/status.hpp"

namespace outbox::storage {

// Returns the names of the symbols that the dynamic linker finds in the file.
//
// Errors: OUTBOX_BAD_CONFIG if the file is not a shared library for this machine, kShortage if the machine lacked a
// resource to read the file. The text gives the reason, without the file's name.
//
// Boost.DLL's library_info is not used, because it reads the symbol table that strip removes: in its view every
// packaged plugin exports nothing.
[[nodiscard]] Result<std::vector<std::string>> ExportedSymbols(const std::filesystem::path& file);

}  // namespace outbox::storage
