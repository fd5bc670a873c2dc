#include "config/units.hpp"

#include <charconv>
#include <limits>
#include <span>

namespace outbox::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr Unit kDurations[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr Unit kSizes[] = {{"GiB", 1U << 30}, {"MiB", 1U << 20}, {"KiB", 1U << 10}, {"GB", 1'000'000'000},
                           {"MB", 1'000'000}, {"KB", 1'000},     {"B", 1}};

std::optional<std::uint64_t> Parse(std::string_view text, std::span<const Unit> units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  for (const Unit& unit : units) {
    if (name != unit.name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

std::string WriteUnit(std::uint64_t number, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (number != 0 && number % unit.factor == 0) return std::to_string(number / unit.factor) + std::string(unit.name);
  }
  return "0" + std::string(units.back().name);
}

}  // namespace

std::optional<Duration> ParseDuration(std::string_view text) {
  const auto milliseconds = Parse(text, kDurations);
  if (!milliseconds) return std::nullopt;
  return Duration(static_cast<Duration::rep>(*milliseconds));
}

std::optional<std::uint64_t> ParseSize(std::string_view text) { return Parse(text, kSizes); }

std::string Write(Duration duration) { return WriteUnit(static_cast<std::uint64_t>(duration.count()), kDurations); }

std::string WriteSize(std::uint64_t bytes) { return WriteUnit(bytes, kSizes); }

}  // namespace outbox::config
