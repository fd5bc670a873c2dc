// The text of a configuration as JSON that still knows its lines, and the list of what is wrong with it.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::config {

// Everything that is wrong, in the order of the file where it is known. One mistake a place: later findings about
// the same pointer are consequences of the first.
class Problems {
 public:
  explicit Problems(std::string origin) : origin_(std::move(origin)) {}

  void SetLines(std::map<std::string, std::size_t> lines) { lines_ = std::move(lines); }
  // `pointer` is a JSON pointer; "" = the whole file.
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
  std::map<std::string, std::size_t> lines_;  // of the keys, by pointer
  std::set<std::string> places_;
  std::vector<Problem> found_;
};

// JSON with // and /* */ comments. Duplicate keys and absurd nesting are problems. The result is meaningless where
// there are problems.
[[nodiscard]] nlohmann::json ParseDocument(std::string_view text, Problems& problems);

// pointer + "/" + key, escaped as RFC 6901 asks.
[[nodiscard]] std::string Join(const std::string& pointer, std::string_view key);

// The candidate that was probably meant; "" = none is near.
[[nodiscard]] std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace outbox::config
