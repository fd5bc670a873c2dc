// Parses the text of a configuration as JSON, keeps the line of each key, and collects everything that is wrong.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::config {

// Collects everything that is wrong with a configuration, and lists the mistakes in the order of their lines as far as
// the lines are known. Keeps one mistake for each JSON pointer: later findings about the same pointer are consequences
// of the first.
class Problems {
 public:
  explicit Problems(std::string origin) : origin_(std::move(origin)) {}

  void SetLines(std::map<std::string, std::size_t> lines) { lines_ = std::move(lines); }
  // Adds a mistake at `pointer`, a JSON pointer; "" = the whole file.
  void Add(const std::string& pointer, const std::string& text);
  void AddSyntax(std::size_t line, std::size_t column, const std::string& text);

  [[nodiscard]] bool empty() const { return found_.empty(); }
  [[nodiscard]] bool Has(const std::string& pointer) const { return places_.count(pointer) != 0; }
  [[nodiscard]] std::string Text() const;

 private:
  struct Problem {
    std::size_t line;
    std::string text;
  };
  std::string origin_;
  std::map<std::string, std::size_t> lines_;  // Line of each key, by its JSON pointer.
  std::set<std::string> places_;
  std::vector<Problem> found_;
};

// Parses JSON with // and /* */ comments. Duplicate keys and nesting beyond 32 levels are reported as problems too. The
// result must not be used if any problem was added.
[[nodiscard]] nlohmann::json ParseDocument(std::string_view text, Problems& problems);

// Returns pointer + "/" + key, with the key escaped as RFC 6901 requires.
[[nodiscard]] std::string Join(const std::string& pointer, std::string_view key);

// Returns the candidate that `word` was probably meant to be; "" = none is similar.
[[nodiscard]] std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace outbox::config
