#include "import/route.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

#include "config/pattern.hpp"

namespace outbox::debezium {
namespace {

constexpr std::string_view kSpecial = "\\^$.|?*+()[]{}";

Status No(const std::string& why) { return {OUTBOX_UNSUPPORTED, why}; }

// Returns true if the expression matches every text without a line end. Sets `numbered` to true if the expression has a
// group, and `group` to the name of that group; "" = the group has no name.
bool MatchesAll(std::string_view regex, std::string& group, bool& numbered) {
  if (regex.starts_with('^')) regex.remove_prefix(1);
  if (regex.ends_with('$')) regex.remove_suffix(1);
  numbered = regex.starts_with('(') && regex.ends_with(')');
  if (numbered) {
    regex = regex.substr(1, regex.size() - 2);
    if (regex.starts_with("?<")) {
      const std::size_t end = regex.find('>');
      if (end == std::string_view::npos) return false;
      group = regex.substr(2, end - 2);
      regex.remove_prefix(end + 1);
    }
  }
  return regex == ".*" || regex == ".+";
}

std::string Literal(std::string_view text) {
  std::string literal;
  for (const char c : text) literal += c == '{' ? "{{" : std::string(1, c);
  return literal;
}

// One part of an expression in which every part is a character, "." or ".*".
struct Part {
  enum class Kind { kLiteral, kAny, kAnyNumber } kind;
  char literal = 0;
};

std::optional<std::vector<Part>> Parts(std::string_view regex) {
  if (regex.starts_with('^')) regex.remove_prefix(1);
  if (regex.ends_with('$') && !regex.ends_with("\\$")) regex.remove_suffix(1);
  std::vector<Part> parts;
  for (std::size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\') {
      // A letter or digit after a backslash has a special meaning, for example as a class of characters.
      if (++i == regex.size() || std::isalnum(static_cast<unsigned char>(regex[i])) != 0) return std::nullopt;
      parts.push_back({Part::Kind::kLiteral, regex[i]});
    } else if (c == '.') {
      const bool star = i + 1 < regex.size() && regex[i + 1] == '*';
      if (star) ++i;
      parts.push_back({star ? Part::Kind::kAnyNumber : Part::Kind::kAny});
    } else if (kSpecial.find(c) != std::string_view::npos) {
      return std::nullopt;
    } else {
      parts.push_back({Part::Kind::kLiteral, c});
    }
    if (i + 1 < regex.size() && std::string_view("?*+{").find(regex[i + 1]) != std::string_view::npos)
      return std::nullopt;
  }
  return parts;
}

// Returns `replacement`, which has Java's syntax, with `value` in place of the groups that contain the whole value.
Result<std::string> Replace(std::string_view replacement, const std::string& value, const std::string& group,
                            bool numbered) {
  std::string to;
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    const char c = replacement[i];
    if (c == '\\') {
      if (++i == replacement.size()) return No("route.topic.replacement ends with a backslash");
      to += Literal(replacement.substr(i, 1));
    } else if (c != '$') {
      to += Literal(replacement.substr(i, 1));
    } else if (replacement.substr(i).starts_with("${")) {
      const std::size_t end = replacement.find('}', i);
      const std::string_view name =
          end == std::string_view::npos ? std::string_view() : replacement.substr(i + 2, end - i - 2);
      if (name.empty() || name != group)
        return No("route.topic.replacement refers to a group that route.topic.regex does not have");
      to += value;
      i = end;
    } else {
      const char digit = i + 1 < replacement.size() ? replacement[i + 1] : 'x';
      if (digit != '0' && !(digit == '1' && numbered))
        return No("route.topic.replacement has a $ that refers to no group of route.topic.regex");
      to += value;
      ++i;
    }
  }
  return to;
}

// Returns `replacement`, which has Java's syntax, with the names of groups replaced by their numbers.
Result<std::string> Numbered(std::string_view replacement, const config::Pattern& pattern) {
  std::string to;
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    const char next = i + 1 < replacement.size() ? replacement[i + 1] : '\0';
    if (replacement[i] == '\\' && next != '\0') {
      to += replacement.substr(i++, 2);
    } else if (replacement[i] == '$' && next == '{') {
      const std::size_t end = std::min(replacement.find('}', i), replacement.size());
      const std::string name(replacement.substr(i + 2, end - std::min(end, i + 2)));
      const auto found = std::find(pattern.names().begin() + 1, pattern.names().end(), name);
      if (name.empty() || found == pattern.names().end() || found - pattern.names().begin() > 9)
        return No("route.topic.replacement refers to a group that route.topic.regex does not have");
      to += '$' + std::to_string(found - pattern.names().begin());
      i = end;
    } else if (replacement[i] == '$') {
      const bool number = std::isdigit(static_cast<unsigned char>(next)) != 0;
      const bool two = i + 2 < replacement.size() && std::isdigit(static_cast<unsigned char>(replacement[i + 2])) != 0;
      if (!number || two || static_cast<std::size_t>(next - '0') >= pattern.names().size())
        return No("route.topic.replacement has a $ that refers to no group of route.topic.regex");
      to += replacement.substr(i++, 2);
    } else {
      to += replacement[i];
    }
  }
  if (to.empty()) return No("route.topic.replacement is empty");
  return to;
}

}  // namespace

Result<std::string> Place(std::string_view column) {
  if (column.empty()) return No("a template cannot contain a column without a name");
  if (column.find_first_of("{}") != std::string_view::npos)
    return No("a template cannot contain the column \"" + std::string(column) + "\", because its name has braces");
  return "{" + std::string(column) + "}";
}

Result<Route> ReadRoute(std::string_view regex, std::string_view replacement, const std::string& column) {
  const auto place = Place(column);
  if (!place.ok()) return place.status();
  std::string group;
  bool numbered = false;
  if (MatchesAll(regex, group, numbered)) {
    auto topic = Replace(replacement, *place, group, numbered);
    if (!topic.ok()) return topic.status();
    return Route{std::move(*topic), "", ""};
  }
  const auto only = OnlyMatch(regex);
  if (!only || only->empty()) {
    const auto pattern = config::Pattern::Parse(regex);
    if (!pattern.ok()) return No(pattern.status().text());
    auto to = Numbered(replacement, *pattern);
    if (!to.ok()) return to.status();
    return Route{std::move(*to), "", std::string(regex)};
  }
  auto topic = Replace(replacement, Literal(*only), "", false);
  if (!topic.ok()) return topic.status();
  return Route{std::move(*topic), *only, ""};
}

std::optional<std::string> OnlyMatch(std::string_view regex) {
  const auto parts = Parts(regex);
  if (!parts) return std::nullopt;
  std::string text;
  for (const Part& part : *parts) {
    if (part.kind != Part::Kind::kLiteral) return std::nullopt;
    text += part.literal;
  }
  return text;
}

std::optional<std::string> OnlyName(std::string_view regex) {
  const auto parts = Parts(regex);
  if (!parts) return std::nullopt;
  std::string name;
  for (const Part& part : *parts) {
    if (part.kind == Part::Kind::kAnyNumber) return std::nullopt;
    name += part.kind == Part::Kind::kAny ? '.' : part.literal;
  }
  return name;
}

std::optional<bool> Matches(std::string_view regex, std::string_view text) {
  constexpr std::size_t kMaxRegex = 1000;
  const auto parts = Parts(regex);
  if (!parts || parts->size() > kMaxRegex || text.size() > kMaxRegex) return std::nullopt;
  // INVARIANT: reached[i] is true if the parts so far can match the first i characters.
  std::vector<bool> reached(text.size() + 1);
  reached[0] = true;
  for (const Part& part : *parts) {
    std::vector<bool> next(text.size() + 1);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (part.kind == Part::Kind::kAnyNumber)
        next[i] = reached[i] || (i > 0 && next[i - 1]);
      else
        next[i] = i > 0 && reached[i - 1] && (part.kind == Part::Kind::kAny || part.literal == text[i - 1]);
    }
    reached = std::move(next);
  }
  return reached[text.size()];
}

}  // namespace outbox::debezium
