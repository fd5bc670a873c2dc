// RFC 4648 base64, standard alphabet, with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outbox::util {

void AppendBase64(std::string_view bytes, std::string& to);

// Nothing for what an encoder does not write: white space, missing padding, stray bits in the last digit.
[[nodiscard]] std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace outbox::util
