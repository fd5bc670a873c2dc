#include "config/secrets.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>

namespace outbox::config {
namespace {

using nlohmann::json;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// A text in which marks stand for the references, or the problem with the text.
struct Marked {
  std::optional<std::string> value;
  std::string problem;
};

Marked MarkText(const std::string& text, const std::filesystem::path& folder, Secrets& secrets) {
  std::string marked;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, 3, "$${") == 0) {
      marked += "${";
      at += 3;
    } else if (text.compare(at, 2, "${") == 0) {
      const auto end = text.find('}', at);
      if (end == std::string::npos) return {std::nullopt, "a ${ without a closing }"};
      const Secrets::Added added = secrets.Add(text.substr(at + 2, end - at - 2), folder);
      if (!added.problem.empty()) return {std::nullopt, added.problem};
      marked += added.mark;
      at = end + 1;
    } else {
      marked += text[at++];
    }
  }
  if (marked.find('\0') != std::string::npos) return {std::nullopt, "the text contains a NUL character"};
  return {std::move(marked), {}};
}

void MarkValue(json& value, const std::string& pointer, const std::filesystem::path& folder, Secrets& secrets,
               Problems& problems) {
  if (value.is_object()) {
    for (auto& [key, member] : value.items()) MarkValue(member, Join(pointer, key), folder, secrets, problems);
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      MarkValue(value[i], Join(pointer, std::to_string(i)), folder, secrets, problems);
    }
  } else if (value.is_string()) {
    Marked marked = MarkText(value.get_ref<const std::string&>(), folder, secrets);
    if (marked.value) {
      value = std::move(*marked.value);
    } else {
      problems.Add(pointer, marked.problem);
    }
  }
}

bool IsNamePart(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-'; }

// Returns the end of the value in "name=value". The value is quoted as libpq and SOCI quote, or ends at whitespace, &
// or ;.
std::size_t EndOfValue(std::string_view text, std::size_t at) {
  const char quote = at < text.size() && (text[at] == '\'' || text[at] == '"') ? text[at] : '\0';
  for (std::size_t i = quote != '\0' ? at + 1 : at; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;
    } else if (quote != '\0' ? c == quote : std::isspace(static_cast<unsigned char>(c)) != 0 || c == '&' || c == ';') {
      return quote != '\0' ? i + 1 : i;
    }
  }
  return text.size();
}

std::string HideAssignments(std::string_view text) {
  std::string shown;
  std::size_t copied = 0;
  for (std::size_t equals = text.find('='); equals != std::string_view::npos; equals = text.find('=', equals + 1)) {
    if (equals < copied) continue;
    std::size_t name_end = equals;
    while (name_end > copied && text[name_end - 1] == ' ') --name_end;
    std::size_t name = name_end;
    while (name > copied && IsNamePart(text[name - 1])) --name;
    const std::string lower = Lower(text.substr(name, name_end - name));
    if (lower.find("pass") == std::string::npos && lower.find("pwd") == std::string::npos && !NamesSecret(lower)) {
      continue;
    }
    std::size_t begin = equals + 1;
    while (begin < text.size() && text[begin] == ' ') ++begin;
    const std::size_t end = EndOfValue(text, begin);
    if (begin == end || IsReference(text.substr(begin, end - begin))) continue;
    shown += text.substr(copied, begin - copied);
    shown += kHidden;
    copied = end;
  }
  return shown.append(text.substr(copied));
}

std::string HideUserInfo(std::string_view text) {
  std::string shown;
  std::size_t copied = 0;
  for (std::size_t scheme = text.find("://"); scheme != std::string_view::npos; scheme = text.find("://", scheme + 3)) {
    const std::size_t begin = scheme + 3;
    if (begin < copied) continue;
    const std::size_t word_end = std::min(text.find_first_of(" \t\r\n\"'", begin), text.size());
    // Take the last @, because a password may contain an unescaped one.
    const std::size_t at = text.substr(0, word_end).rfind('@');
    const std::size_t colon = text.find(':', begin);
    if (at == std::string_view::npos || at < begin || colon >= at) continue;
    if (IsReference(text.substr(colon + 1, at - colon - 1))) continue;
    shown += text.substr(copied, colon + 1 - copied);
    shown += kHidden;
    copied = at;
  }
  return shown.append(text.substr(copied));
}

}  // namespace

json MarkIn(const json& raw, const std::string& pointer, const std::filesystem::path& folder, Secrets& secrets,
            Problems& problems) {
  json marked = raw;
  MarkValue(marked, pointer, folder, secrets, problems);
  return marked;
}

json FillIn(const json& marked, const Secrets& secrets, const Secrets::Values& values) {
  if (marked.is_string()) return secrets.Fill(marked.get_ref<const std::string&>(), values);
  json filled = marked;
  if (marked.is_structured()) {
    for (auto& value : filled) value = FillIn(value, secrets, values);
  }
  return filled;
}

bool NamesSecret(std::string_view key) {
  static constexpr std::array<std::string_view, 8> kWords = {"password", "passwd", "secret", "token",
                                                             "key",      "pem",    "sasl",   "jaas"};
  const std::string lower = Lower(key);
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

bool IsReference(std::string_view text) {
  if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'') text = text.substr(1, text.size() - 2);
  return text.substr(0, 2) == "${" && text.find('}') == text.size() - 1;
}

std::string Redact(std::string_view text) { return HideUserInfo(HideAssignments(text)); }

json RedactValue(std::string_view key, const json& raw) {
  if (raw.is_object()) {
    json shown = json::object();
    for (const auto& [name, value] : raw.items()) shown[name] = RedactValue(NamesSecret(key) ? key : name, value);
    return shown;
  }
  if (raw.is_array()) {
    json shown = json::array();
    for (const json& value : raw) shown.push_back(RedactValue(key, value));
    return shown;
  }
  if (raw.is_string()) {
    const auto& text = raw.get_ref<const std::string&>();
    if (NamesSecret(key)) return text.empty() || IsReference(text) ? raw : json(kHidden);
    return Redact(text);
  }
  return NamesSecret(key) && !raw.is_boolean() && !raw.is_null() ? json(kHidden) : raw;
}

}  // namespace outbox::config
