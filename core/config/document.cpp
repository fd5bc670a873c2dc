#include "config/document.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>

namespace outbox::config {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 32;  // Greatest depth of nesting, limited because writing JSON recurses.

// An iterator that feeds the parser and records how far the parser has read, which the parser's events do not report.
struct Reader {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** reached;

  reference operator*() const { return *at; }
  Reader& operator++() {
    *reached = ++at;
    return *this;
  }
  Reader operator++(int) {
    Reader old = *this;
    ++*this;
    return old;
  }
  bool operator==(const Reader& other) const { return at == other.at; }
  bool operator!=(const Reader& other) const { return at != other.at; }
};

// Returns the reason from a text of the parser such as "[json.exception.parse_error.101] parse error at line 1, column
// 2: syntax error while parsing value - invalid literal; last read: 'x'; expected ...". The part before the reason is
// left out, because the relay's own message gives the position. The text after "last read" is left out if it is a
// string, because it may be a password.
std::string Reason(std::string what) {
  if (const auto at = what.find(": "); at != std::string::npos) what.erase(0, at + 2);
  if (const auto at = what.find("; last read: '"); at != std::string::npos) {
    const bool string = what.compare(at + 14, 1, "\"") == 0;
    const auto end = what.rfind("'; expected");
    if (string) what.erase(at, end == std::string::npos ? std::string::npos : end + 1 - at);
  }
  return what;
}

class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text, Problems& problems) : text_(text), problems_(problems), reached(text.data()) {}

  bool null() override { return Put(nullptr); }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(number_integer_t value) override { return Put(value); }
  bool number_unsigned(number_unsigned_t value) override { return Put(value); }
  bool number_float(number_float_t value, const string_t&) override { return Put(value); }
  bool string(string_t& value) override { return Put(std::move(value)); }
  bool binary(binary_t&) override { return false; }

  bool key(string_t& value) override {
    key_ = std::move(value);
    const std::string place = Join(open_.back().pointer, key_);
    const std::size_t line = Line(Offset());
    const auto [first, fresh] = lines_.emplace(place, line);
    if (!fresh) {
      problems_.SetLines(lines_);
      problems_.Add(place,
                    "duplicate key \"" + key_ + "\", again on line " + std::to_string(line) + "; keep one of the two");
    }
    return true;
  }

  bool start_object(std::size_t) override { return Open(json::object()); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(json::array()); }
  bool end_array() override { return Close(); }

  bool parse_error(std::size_t position, const std::string&, const json::exception& error) override {
    const std::size_t at = std::min(position > 0 ? position - 1 : 0, text_.size());
    std::string reason = Reason(error.what());
    const auto before = text_.substr(0, at).find_last_not_of(" \t\r\n");
    if (at < text_.size() && (text_[at] == '}' || text_[at] == ']') && before != std::string_view::npos &&
        text_[before] == ',') {
      reason += " (remove the comma before it)";
    } else if (reason.find("unexpected string literal; expected '}'") != std::string::npos) {
      reason += " (a comma may be missing before it)";
    }
    const auto start = text_.substr(0, at).rfind('\n');
    problems_.AddSyntax(Line(at), at - (start == std::string_view::npos ? 0 : start + 1) + 1, reason);
    return false;
  }

  json Finish() {
    problems_.SetLines(std::move(lines_));
    return std::move(root_);
  }

 private:
  struct Level {
    json* value;
    std::string pointer;
  };

  [[nodiscard]] std::size_t Offset() const { return static_cast<std::size_t>(reached - text_.data()); }
  [[nodiscard]] std::size_t Line(std::size_t offset) const {
    return 1 + static_cast<std::size_t>(
                   std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
  }

  // Returns the position in the document at which the value that begins now is stored.
  Level Place() {
    if (open_.empty()) return {&root_, ""};
    Level& top = open_.back();
    if (top.value->is_object()) return {&(*top.value)[key_], Join(top.pointer, key_)};
    top.value->push_back(nullptr);
    return {&top.value->back(), Join(top.pointer, std::to_string(top.value->size() - 1))};
  }

  template <class T>
  bool Put(T&& value) {
    *Place().value = std::forward<T>(value);
    return true;
  }

  bool Open(json value) {
    Level level = Place();
    if (open_.size() == kMaxDepth) {
      problems_.SetLines(lines_);
      problems_.Add(level.pointer, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
      return false;
    }
    *level.value = std::move(value);
    open_.push_back(std::move(level));
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  Problems& problems_;
  json root_;
  std::vector<Level> open_;
  std::string key_;
  std::map<std::string, std::size_t> lines_;

 public:
  const char* reached;
};

}  // namespace

void Problems::Add(const std::string& pointer, const std::string& text) {
  if (!places_.insert(pointer).second) return;
  // A missing key has no line, so the line of the object that should contain the key is used.
  std::string holder = pointer;
  auto line = lines_.find(holder);
  while (line == lines_.end() && !holder.empty()) {
    holder.erase(holder.rfind('/'));
    line = lines_.find(holder);
  }
  const std::size_t number = line == lines_.end() ? 0 : line->second;
  std::string where = origin_;
  if (number != 0) where += ":" + std::to_string(number);
  found_.push_back({number, where + ": " + (pointer.empty() ? "" : pointer + ": ") + text});
}

void Problems::AddSyntax(std::size_t line, std::size_t column, const std::string& text) {
  found_.push_back({line, origin_ + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + text});
}

std::string Problems::Text() const {
  std::vector<Problem> sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) { return a.line < b.line; });
  std::string text;
  for (const Problem& problem : sorted) text += (text.empty() ? "" : "\n") + problem.text;
  return text;
}

json ParseDocument(std::string_view text, Problems& problems) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    problems.AddSyntax(1, 1, "the file is empty; expected an object { ... }");
    return nullptr;
  }
  Builder builder(text, problems);
  const char* end = text.data() + text.size();
  json::sax_parse(Reader{text.data(), &builder.reached}, Reader{end, &builder.reached}, &builder,
                  json::input_format_t::json, /*strict=*/true, /*ignore_comments=*/true);
  return builder.Finish();
}

std::string Join(const std::string& pointer, std::string_view key) {
  std::string joined = pointer + "/";
  for (const char c : key) {
    if (c == '~') {
      joined += "~0";
    } else if (c == '/') {
      joined += "~1";
    } else {
      joined += c;
    }
  }
  return joined;
}

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = 1 + std::max<std::size_t>(2, word.size() / 3);
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t substituted = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
      }
    }
    // The beginning of a candidate counts as one mistake, such as "linger" for "linger.ms".
    const bool begun = word.size() >= 4 && candidate.compare(0, word.size(), word) == 0;
    const std::size_t distance = begun ? 1 : row.back();
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace outbox::config
