// Reads and writes durations and sizes in the form in which people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace outbox::config {

// Reads a whole number followed by ms, s, m or h. Returns nothing if `text` is anything else.
[[nodiscard]] std::optional<Duration> ParseDuration(std::string_view text);
// Reads a whole number followed by B, KB, MB, GB (powers of 1000), KiB, MiB or GiB (powers of 1024). Returns the size
// in bytes, or nothing if `text` is anything else.
[[nodiscard]] std::optional<std::uint64_t> ParseSize(std::string_view text);

// Return the value as text, with the largest unit that needs no fraction.
[[nodiscard]] std::string Write(Duration duration);
[[nodiscard]] std::string WriteSize(std::uint64_t bytes);

}  // namespace outbox::config
