#include "config/pattern.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "outbox/text.hpp"

namespace outbox::config {
namespace {

constexpr std::size_t kMaxPattern = 500;
constexpr std::size_t kMaxTries = 100'000;

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// Returns true for the characters beyond ASCII that Java treats as line ends.
bool EndsLine(std::string_view character) {
  return character == "\xc2\x85" || character == "\xe2\x80\xa8" || character == "\xe2\x80\xa9";
}

}  // namespace

class PatternParser {
 public:
  explicit PatternParser(std::string_view regex) : rest_(regex) {}

  Result<Pattern> Run() {
    pattern_.names_.emplace_back();
    if (rest_.size() > kMaxPattern || !IsUtf8(rest_)) return No("it is longer than 500 bytes, or not UTF-8");
    if (Take("(?i)")) ignore_case_ = true;
    (void)Take("^");
    std::vector<std::size_t> open;
    while (!rest_.empty() && problem_.empty()) {
      if (rest_ == "$") break;
      if (Take("(")) {
        Open(open);
      } else if (Take(")")) {
        if (open.empty()) return No("a ) without a (");
        Add(Step::Kind::kClose, open.back());
        open.pop_back();
        if (IsRepeated()) return No("a group is repeated");
      } else {
        Character();
      }
    }
    if (!problem_.empty()) return No(problem_);
    if (!open.empty()) return No("a ( without a )");
    return std::move(pattern_);
  }

 private:
  using Step = Pattern::Step;

  static Status No(const std::string& why) {
    return {OUTBOX_BAD_CONFIG, "the regular expression is not supported: " + why};
  }

  bool Take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  [[nodiscard]] bool IsRepeated() const {
    return !rest_.empty() && std::string_view("*+?{").find(rest_[0]) != std::string_view::npos;
  }

  Step& Add(Step::Kind kind, std::size_t group = 0) {
    Step step{};
    step.kind = kind;
    step.group = group;
    return pattern_.steps_.emplace_back(std::move(step));
  }

  void Open(std::vector<std::size_t>& open) {
    if (Take("?:")) {
      open.push_back(0);
      Add(Step::Kind::kOpen, 0);
      return;
    }
    std::string name;
    if (Take("?<")) {
      const std::size_t end = rest_.find('>');
      if (end == std::string_view::npos || end == 0 || std::isalpha(static_cast<unsigned char>(rest_[0])) == 0) {
        problem_ = "an unexpected beginning of a group";
        return;
      }
      name = rest_.substr(0, end);
      rest_.remove_prefix(end + 1);
    } else if (rest_.starts_with('?')) {
      problem_ = "an unexpected beginning of a group";
      return;
    }
    pattern_.names_.push_back(name);
    open.push_back(pattern_.names_.size() - 1);
    Add(Step::Kind::kOpen, open.back());
  }

  void Character() {
    Step& step = Add(Step::Kind::kCharacter);
    if (Take(".")) {
      for (std::size_t c = 0; c < 128; ++c) step.bytes[c] = c != '\n' && c != '\r';
      step.others = true;
    } else if (Take("[")) {
      Class(step);
    } else if (Take("\\")) {
      Escaped(step);
    } else if (std::string_view("*+?{}]|$^").find(rest_[0]) != std::string_view::npos) {
      problem_ = std::string("unexpected ") + rest_[0];
    } else {
      Literal(step);
    }
    if (!problem_.empty()) return;
    if (ignore_case_)
      for (std::size_t c = 'a'; c <= 'z'; ++c) step.bytes[c] = step.bytes[c - 32] = step.bytes[c] || step.bytes[c - 32];
    if (Take("*"))
      step.min = 0, step.many = true;
    else if (Take("+"))
      step.many = true;
    else if (Take("?"))
      step.min = 0;
    if (IsRepeated()) problem_ = "this kind of repetition";
  }

  void Literal(Step& step) {
    const std::size_t size = std::max<std::size_t>(CharacterSize(rest_), 1);
    if (size == 1)
      step.bytes.set(static_cast<unsigned char>(rest_[0]));
    else
      step.literal = rest_.substr(0, size);
    if (size > 1 && ignore_case_) problem_ = "(?i) with a character beyond ASCII";
    rest_.remove_prefix(size);
  }

  // Parses \d, \w, \s, or an escaped character that stands for itself.
  void Escaped(Step& step) {
    if (rest_.empty() || !IsAscii(rest_[0])) {
      problem_ = "a \\ without a known character after it";
      return;
    }
    const char c = rest_[0];
    rest_.remove_prefix(1);
    if (std::isalnum(static_cast<unsigned char>(c)) == 0)
      return static_cast<void>(step.bytes.set(static_cast<unsigned char>(c)));
    if (c != 'd' && c != 'w' && c != 's') problem_ = std::string("unknown escape \\") + c;
    for (int one = 0; one < 128; ++one) {
      const bool word = std::isalnum(one) != 0 || one == '_';
      if ((c == 'd' && std::isdigit(one) != 0) || (c == 'w' && word) || (c == 's' && std::isspace(one) != 0))
        step.bytes.set(static_cast<std::size_t>(one));
    }
  }

  // Parses a class such as "[a-z_]" or "[^.]". A class may contain only ASCII characters.
  void Class(Step& step) {
    const bool negated = Take("^");
    bool first = true;
    while (problem_.empty() && !rest_.empty() && (first || rest_[0] != ']')) {
      first = false;
      if (Take("\\")) {
        Escaped(step);
        continue;
      }
      const auto low = static_cast<unsigned char>(rest_[0]);
      if (low >= 0x80 || low == '[' || low == ']' || low == '&' || low == '^') {
        problem_ = "an unexpected character in a class";
        return;
      }
      rest_.remove_prefix(1);
      unsigned char high = low;
      if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
        high = static_cast<unsigned char>(rest_[1]);
        if (high >= 0x80 || high == '\\' || high < low) problem_ = "an invalid range in a class of characters";
        rest_.remove_prefix(2);
      }
      for (unsigned c = low; c <= high; ++c) step.bytes.set(c);
    }
    if (!Take("]") && problem_.empty()) problem_ = "a [ without a ]";
    if (!negated) return;
    for (std::size_t c = 0; c < 128; ++c) step.bytes.flip(c);
    step.others = step.line_ends = true;
    if (ignore_case_) problem_ = "(?i) together with a negated class [^";
  }

  std::string_view rest_;
  Pattern pattern_;
  bool ignore_case_ = false;
  std::string problem_;
};

class PatternMatcher {
 public:
  PatternMatcher(const Pattern& pattern, std::string_view text, std::vector<std::string_view>& groups)
      : pattern_(pattern), text_(text), groups_(groups), opened_(pattern.names_.size()) {}

  Pattern::Outcome Run() {
    groups_.assign(pattern_.names_.size(), {});
    groups_[0] = text_;
    if (From(0, 0)) return Pattern::Outcome::kMatches;
    return tries_ > kMaxTries ? Pattern::Outcome::kTooLong : Pattern::Outcome::kDiffers;
  }

 private:
  using Step = Pattern::Step;

  // Returns true if the steps from `index` on match the rest of the text from `at` on. The depth of the recursion is
  // limited by the number of steps.
  bool From(std::size_t index, std::size_t at) {
    if (++tries_ > kMaxTries) return false;
    if (index == pattern_.steps_.size()) return at == text_.size();
    const Step& step = pattern_.steps_[index];
    if (step.kind == Step::Kind::kOpen) {
      const std::size_t before = std::exchange(opened_[step.group], at);
      if (From(index + 1, at)) return true;
      opened_[step.group] = before;
      return false;
    }
    if (step.kind == Step::Kind::kClose) {
      if (step.group != 0) groups_[step.group] = text_.substr(opened_[step.group], at - opened_[step.group]);
      return From(index + 1, at);
    }
    return Repeat(step, index, at);
  }

  // Matches a step that may be repeated, and the steps after it. Tries the greatest number of repetitions first.
  bool Repeat(const Step& step, std::size_t index, std::size_t at) {
    std::vector<std::size_t> ends{at};
    while (step.many || ends.size() < 2) {
      const std::size_t size = Size(step, ends.back());
      if (size == 0) break;
      ends.push_back(ends.back() + size);
    }
    for (std::size_t count = ends.size(); count-- > step.min;)
      if (From(index + 1, ends[count])) return true;
    return false;
  }

  // Returns the size of the character at `at` in bytes if the step matches it, otherwise 0.
  [[nodiscard]] std::size_t Size(const Step& step, std::size_t at) const {
    if (at == text_.size()) return 0;
    const std::string_view rest = text_.substr(at);
    if (!step.literal.empty()) return rest.starts_with(step.literal) ? step.literal.size() : 0;
    if (IsAscii(rest[0])) return step.bytes[static_cast<unsigned char>(rest[0])] ? 1 : 0;
    if (!step.others) return 0;
    const std::size_t size = std::max<std::size_t>(CharacterSize(rest), 1);
    return !step.line_ends && EndsLine(rest.substr(0, size)) ? 0 : size;
  }

  const Pattern& pattern_;
  const std::string_view text_;
  std::vector<std::string_view>& groups_;
  std::vector<std::size_t> opened_;
  std::size_t tries_ = 0;
};

Result<Pattern> Pattern::Parse(std::string_view regex) { return PatternParser(regex).Run(); }

Pattern::Outcome Pattern::Match(std::string_view text, std::vector<std::string_view>& groups) const {
  return PatternMatcher(*this, text, groups).Run();
}

Result<Replacement> Replacement::Parse(std::string_view text, const Pattern& pattern) {
  Replacement replacement;
  Piece piece;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\\' && next != '\0') {
      piece.literal += text[++i];
    } else if (text[i] == '$') {
      if (std::isdigit(static_cast<unsigned char>(next)) == 0)
        return Status(OUTBOX_BAD_CONFIG, "a $ without the number of a group after it; write \\$ for a literal $");
      piece.group = static_cast<std::size_t>(next - '0');
      if (piece.group >= pattern.names().size())
        return Status(OUTBOX_BAD_CONFIG,
                      std::string("$") + next + " refers to a group that the expression does not have");
      replacement.pieces.push_back(std::move(piece));
      piece = {};
      ++i;
    } else {
      piece.literal += text[i];
    }
  }
  piece.is_end = true;
  replacement.pieces.push_back(std::move(piece));
  return replacement;
}

}  // namespace outbox::config
