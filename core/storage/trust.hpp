// Checks who can replace a plugin's file, because a user who can replace it can run code as the relay.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "util/status.hpp"

namespace outbox::storage {

// Returns the path of the file with all symbolic links resolved.
//
// The trusted users are root, the user of this process, and `trusted_owners` (names or numbers). A file is refused if
// another user can write it, or can replace it through any folder or link on the way to it, beginning at /. A user can
// do so as the owner, by write permission for everybody, or by write permission for a group or an access list that
// includes other users. In a folder with the sticky bit, such as /tmp, only the owner of an entry can replace it.
//
// Errors: OUTBOX_BAD_CONFIG; the text names the component at fault and the fix. kShortage if the machine lacked a
// resource for the check.
[[nodiscard]] Result<std::filesystem::path> TrustedFile(const std::filesystem::path& file,
                                                        const std::vector<std::string>& trusted_owners);

}  // namespace outbox::storage
