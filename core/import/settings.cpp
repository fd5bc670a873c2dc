#include "import/settings.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "config/document.hpp"
#include "outbox/text.hpp"

namespace outbox::debezium {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSettings = 10'000;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\f' || c == '\r'; }

// Adds the settings of the object as text. Kafka Connect treats numbers, true and false like their text.
void Take(const json& object, const std::string& pointer, Settings& out, config::Problems& problems) {
  if (object.size() > kMaxSettings) return problems.Add(pointer, "more than 10000 settings; expected a connector");
  for (const auto& [name, value] : object.items()) {
    if (value.is_string())
      out.values[name] = value.get<std::string>();
    else if (value.is_number() || value.is_boolean())
      out.values[name] = value.dump();
    else
      problems.Add(config::Join(pointer, name), "is not valid; expected a string, a number, true or false");
  }
}

json Parse(std::string_view text, config::Problems& problems) {
  if (!IsUtf8(text)) {
    problems.Add("", "the file is not UTF-8 text");
    return nullptr;
  }
  return config::ParseDocument(text, problems);
}

void Finish(const config::Problems& problems, Settings& out) {
  if (!problems.empty()) out.problems.push_back(problems.Text());
}

// Parses a Java properties file, line by line.
class Properties {
 public:
  Properties(std::string_view text, const std::string& origin, Settings& out)
      : rest_(text), origin_(origin), out_(out) {}

  void Read() {
    while (!rest_.empty()) {
      const std::string line = Line();
      std::size_t at = 0;
      while (at < line.size() && IsBlank(line[at])) ++at;
      if (at == line.size() || line[at] == '#' || line[at] == '!') continue;
      std::string name, value;
      for (; at < line.size() && line[at] != '=' && line[at] != ':' && !IsBlank(line[at]); ++at)
        Unescape(line, at, name);
      while (at < line.size() && IsBlank(line[at])) ++at;
      if (at < line.size() && (line[at] == '=' || line[at] == ':')) ++at;
      while (at < line.size() && IsBlank(line[at])) ++at;
      for (; at < line.size(); ++at) Unescape(line, at, value);
      if (out_.values.size() == kMaxSettings)
        return Wrong("more than 10000 settings; expected the properties of a worker");
      out_.values[name] = value;
    }
  }

 private:
  void Wrong(const std::string& text) {
    out_.problems.push_back(origin_ + ":" + std::to_string(number_) + ": " + text);
    rest_ = {};
  }

  // Returns the next line, joined with its continuation lines.
  std::string Line() {
    std::string line;
    for (;;) {
      ++number_;
      const std::size_t end = std::min(rest_.find('\n'), rest_.size());
      std::string_view part = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      if (part.ends_with('\r')) part.remove_suffix(1);
      if (!line.empty())
        while (!part.empty() && IsBlank(part.front())) part.remove_prefix(1);
      std::size_t slashes = 0;
      while (slashes < part.size() && part[part.size() - 1 - slashes] == '\\') ++slashes;
      const bool is_comment =
          line.empty() && part.find_first_not_of(" \t\f") != std::string_view::npos &&
          std::string_view("#!").find(part[part.find_first_not_of(" \t\f")]) != std::string_view::npos;
      const bool goes_on = slashes % 2 == 1 && !is_comment;
      if (goes_on) part.remove_suffix(1);
      line += part;
      if (!goes_on || rest_.empty()) return line;
    }
  }

  // Appends the character or escape at `at`, and moves `at` to its last byte.
  void Unescape(const std::string& line, std::size_t& at, std::string& to) {
    if (line[at] != '\\') {
      to += line[at];
      return;
    }
    if (++at == line.size()) return;
    if (line[at] != 'u') {
      constexpr std::string_view kLetters = "tnrf", kStandFor = "\t\n\r\f";
      const std::size_t letter = kLetters.find(line[at]);
      to += letter == std::string_view::npos ? line[at] : kStandFor[letter];
      return;
    }
    unsigned code = 0;
    const char* const begin = line.data() + at + 1;
    const char* const end = line.data() + std::min(at + 5, line.size());
    if (std::from_chars(begin, end, code, 16).ptr != begin + 4 || (code >= 0xD800 && code <= 0xDFFF))
      return Wrong("\\u without the four hexadecimal digits of a character after it");
    at += 4;
    if (code < 0x80) {
      to += static_cast<char>(code);
    } else {
      if (code < 0x800) {
        to += static_cast<char>(0xC0 | code >> 6);
      } else {
        to += static_cast<char>(0xE0 | code >> 12);
        to += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      }
      to += static_cast<char>(0x80 | (code & 0x3F));
    }
  }

  std::string_view rest_;
  const std::string& origin_;
  Settings& out_;
  std::size_t number_ = 0;
};

}  // namespace

Settings ReadConnector(std::string_view text, const std::string& origin) {
  Settings settings;
  config::Problems problems(origin);
  const json document = Parse(text, problems);
  if (problems.empty() && !document.is_object())
    problems.Add("", "is not valid; expected a connector, an object { ... }");
  if (!problems.empty()) {
    Finish(problems, settings);
    return settings;
  }
  const auto config = document.find("config");
  if (config != document.end() && config->is_object()) {
    // Kafka Connect itself writes the other members beside "config", so they are accepted.
    for (const auto& [name, unused] : document.items())
      if (name != "config" && name != "name" && name != "tasks" && name != "type" && name != "initial_state")
        problems.Add(config::Join("", name), "unknown key beside \"config\"; expected only \"name\"");
    Take(*config, "/config", settings, problems);
  } else {
    Take(document, "", settings, problems);
  }
  Finish(problems, settings);
  return settings;
}

Settings ReadWorker(std::string_view text, const std::string& origin) {
  Settings settings;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') return ReadConnector(text, origin);
  if (!IsUtf8(text))
    settings.problems.push_back(origin + ": the file is not UTF-8 text");
  else
    Properties(text, origin, settings).Read();
  return settings;
}

}  // namespace outbox::debezium
