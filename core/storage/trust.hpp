// Who can replace a plugin's file: whoever can runs code as the relay.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "util/status.hpp"

namespace outbox::storage {

// The path that the file has once every symbolic link on the way is followed.
//
// Refused is a file that a user other than root, this process's own or one of `trusted_owners` (names or numbers) can write,
// or can exchange through any folder or link on the way to it, from / on: by owning it, by write permission for everybody, or
// by write permission for a group or an access list that has other users. In a folder with the sticky bit, such as /tmp, only
// the owner of an entry can exchange it.
//
// Errors: OUTBOX_BAD_CONFIG with the component at fault and what to do; kShortage if the machine lacks something to find out.
[[nodiscard]] Result<std::filesystem::path> TrustedFile(const std::filesystem::path& file,
                                                        const std::vector<std::string>& trusted_owners);

}  // namespace outbox::storage
