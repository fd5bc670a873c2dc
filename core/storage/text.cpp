#include "storage/text.hpp"

#include "util/utf8.hpp"

namespace outbox::storage {
std::string CleanUtf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = util::CharacterSize(text);
    clean.append(size > 0 ? text.substr(0, size) : "?");
    text.remove_prefix(size > 0 ? size : 1);
  }
  return clean;
}

}  // namespace outbox::storage
