// Base64 of RFC 4648, with the standard alphabet and padding. Binary payloads and headers have this form in JSON.
//
// Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outbox {
namespace detail {

inline constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
inline constexpr std::uint8_t kNoBase64Digit = 0xff;

// The value of each digit, indexed by its character; kNoBase64Digit for any other character.
inline constexpr auto kBase64Values = [] {
  std::array<std::uint8_t, 256> values{};
  for (std::uint8_t& value : values) value = kNoBase64Digit;
  for (std::size_t i = 0; i < kBase64Digits.size(); ++i)
    values[static_cast<unsigned char>(kBase64Digits[i])] = static_cast<std::uint8_t>(i);
  return values;
}();

}  // namespace detail

// Appends the base64 form of `bytes` to `to`.
inline void AppendBase64(std::string_view bytes, std::string& to) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t v = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (const int shift : {18, 12, 6, 0}) to += detail::kBase64Digits[v >> shift & 63];
  }
  const std::size_t left = bytes.size() - i;
  if (left == 0) return;
  const std::uint32_t v = byte(i) << 16 | (left == 2 ? byte(i + 1) << 8 : 0);
  to += detail::kBase64Digits[v >> 18 & 63];
  to += detail::kBase64Digits[v >> 12 & 63];
  to += left == 2 ? detail::kBase64Digits[v >> 6 & 63] : '=';
  to += '=';
}

// Returns the decoded bytes; nothing if `text` is not the output of an encoder, because it has white space, lacks
// padding, or has bits in its last digit that belong to no byte.
[[nodiscard]] inline std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;

  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t digits = i + 4 == text.size() ? 4 - padding : 4;
    std::uint32_t v = 0;
    for (std::size_t d = 0; d < 4; ++d) {
      const std::uint8_t value =
          d < digits ? detail::kBase64Values[static_cast<unsigned char>(text[i + d])] : std::uint8_t{0};
      if (value == detail::kNoBase64Digit) return std::nullopt;
      v = v << 6 | value;
    }
    const std::size_t count = digits - 1;
    if ((v & (0xffffffu >> (8 * count))) != 0) return std::nullopt;
    for (std::size_t b = 0; b < count; ++b) bytes += static_cast<char>(v >> (16 - 8 * b) & 0xff);
  }
  return bytes;
}

}  // namespace outbox
