// A plugin's texts go into JSON logs and into the database, which refuse what is not UTF-8; and one cut to fit its
// buffer may end inside a character.
#pragma once

#include <string>
#include <string_view>

namespace outbox::storage {

// Each byte that belongs to no character becomes '?'.
[[nodiscard]] std::string CleanUtf8(std::string_view text);

}  // namespace outbox::storage
