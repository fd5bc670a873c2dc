// Event ids: UUIDs of version 7. Ids that are generated at about the same time are close to each other, which keeps the
// index of a consumer's inbox small.
#pragma once

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::emit::detail {

using EventId = std::array<unsigned char, 16>;

// Generates an id. The random bits come from the system each time, because after a fork, a generator in this process
// produces the same ids as its copy in the other process. Returns false if the system has no random bytes.
inline bool NewEventId(EventId& id) {
  if (getentropy(id.data(), id.size()) != 0) return false;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto millis = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  for (std::size_t i = 0; i < 6; ++i) id[i] = static_cast<unsigned char>(millis >> (40 - 8 * i));
  id[6] = static_cast<unsigned char>(0x70 | (id[6] & 0x0f));
  id[8] = static_cast<unsigned char>(0x80 | (id[8] & 0x3f));
  return true;
}

inline constexpr bool IsDash(std::size_t place) { return place == 8 || place == 13 || place == 18 || place == 23; }

// Returns the id; nothing if `text` is not a UUID of 36 characters.
inline std::optional<EventId> ParseEventId(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  EventId id{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (IsDash(i)) {
      if (c != '-') return std::nullopt;
      continue;
    }
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (value < 0) return std::nullopt;
    id[digits / 2] = static_cast<unsigned char>(id[digits / 2] << 4 | value);
    ++digits;
  }
  return id;
}

inline std::string EventIdText(const EventId& id) {
  constexpr const char* kDigits = "0123456789abcdef";
  constexpr std::array<unsigned char, 16> kPlaces{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  std::string text(36, '-');
  char* const at = text.data();
  for (std::size_t i = 0; i < id.size(); ++i) {
    at[kPlaces[i]] = kDigits[id[i] >> 4];
    at[kPlaces[i] + 1] = kDigits[id[i] & 15];
  }
  return text;
}

}  // namespace outbox::emit::detail
