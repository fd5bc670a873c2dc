// The router's regular expression and replacement as a topic of the relay's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "util/status.hpp"

namespace outbox::debezium {

struct Route {
  // Template of the topic for values that the expression matches, with `{column}` for the value.
  std::string topic;
  // Only this value is matched; others are topics themselves. "" = all values are, or those that match `pattern`.
  std::string only;
  std::string pattern;  // config/pattern.hpp; then `topic` is its replacement, and other values are topics themselves
};

// Errors: OUTBOX_UNSUPPORTED, with why it cannot be a topic here.
[[nodiscard]] Result<Route> ReadRoute(std::string_view regex, std::string_view replacement, const std::string& column);

// `{column}`. Errors: OUTBOX_UNSUPPORTED where the name cannot be in a template.
[[nodiscard]] Result<std::string> Place(std::string_view column);

// The text that a regular expression matches, if it is only one. Nothing = it matches several.
[[nodiscard]] std::optional<std::string> OnlyMatch(std::string_view regex);

// The same of a list of names, in which an unescaped dot is meant to be one.
[[nodiscard]] std::optional<std::string> OnlyName(std::string_view regex);

// Does the regular expression match the whole text? Nothing = it is one that only Java could tell.
[[nodiscard]] std::optional<bool> Matches(std::string_view regex, std::string_view text);

}  // namespace outbox::debezium
