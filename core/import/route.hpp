// Translates the router's regular expression and replacement to a topic of the relay's configuration.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "util/status.hpp"

namespace outbox::debezium {

// The rule by which the topic follows from a row's value in the column that route.by.field names.
struct Route {
  // The topic for values to which the rule applies. It is a template in which `{column}` stands for the value; if
  // `pattern` is not empty, it is the replacement for the match of `pattern`.
  std::string topic;
  // If not empty, the rule applies only to this value; any other value is itself used as the topic.
  std::string only;
  // If not empty, the rule applies only to values that this expression (config/pattern.hpp) matches; any other value is
  // itself used as the topic. If `only` and `pattern` are both empty, the rule applies to all values.
  std::string pattern;
};

// Translates route.topic.regex and route.topic.replacement; `column` is the value of route.by.field. Errors:
// OUTBOX_UNSUPPORTED, with the reason why the relay cannot choose topics in this way.
[[nodiscard]] Result<Route> ReadRoute(std::string_view regex, std::string_view replacement, const std::string& column);

// Returns the template `{column}`. Errors: OUTBOX_UNSUPPORTED if a template cannot contain the name.
[[nodiscard]] Result<std::string> Place(std::string_view column);

// Returns the only text that a regular expression matches; nothing = it may match several texts.
[[nodiscard]] std::optional<std::string> OnlyMatch(std::string_view regex);

// Does the same as OnlyMatch() for a list of names, in which an unescaped dot stands for a dot.
[[nodiscard]] std::optional<std::string> OnlyName(std::string_view regex);

// Returns whether the regular expression matches the whole text. Nothing = the expression is not supported here.
[[nodiscard]] std::optional<bool> Matches(std::string_view regex, std::string_view text);

}  // namespace outbox::debezium
