// Durations and sizes as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace outbox::config {

// A whole number and one of ms, s, m, h.
[[nodiscard]] std::optional<Duration> ParseDuration(std::string_view text);
// A whole number and one of B, KB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024).
[[nodiscard]] std::optional<std::uint64_t> ParseSize(std::string_view text);

// With the largest unit that needs no fraction.
[[nodiscard]] std::string Write(Duration duration);
[[nodiscard]] std::string WriteSize(std::uint64_t bytes);

}  // namespace outbox::config
