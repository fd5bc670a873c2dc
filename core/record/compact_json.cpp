#include "record/compact_json.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace outbox::record {
namespace {

// What the syntax allows next.
enum class Next : std::uint8_t { kValue, kValueOrEnd, kNameOrEnd, kName, kColon, kCommaOrEnd };

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// For each byte, whether it stands for itself in a string: it neither ends the string nor begins an escape.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t i = 0x20; i < plain.size(); ++i) plain[i] = i != '"' && i != '\\';
  return plain;
}();

class Compactor {
 public:
  Compactor(std::string_view json, std::string& to) : at_(json.data()), end_(at_ + json.size()), to_(to) {}

  // Returns false if the text is not JSON; at() is then the first wrong byte.
  bool Run() {
    copied_ = at_;
    if (!Value()) return false;
    while (!open_.empty() || next_ != Next::kCommaOrEnd) {
      SkipBlanks();
      if (at_ == end_ || !Step()) return false;
    }
    SkipBlanks();
    CopyUpTo(at_);
    return at_ == end_;
  }
  [[nodiscard]] const char* at() const { return at_; }

 private:
  bool Step() {
    switch (next_) {
      case Next::kValue:
        return Value();
      case Next::kValueOrEnd:
        return *at_ == ']' ? Close() : Value();
      case Next::kNameOrEnd:
        return *at_ == '}' ? Close() : Name();
      case Next::kName:
        return Name();
      case Next::kColon:
        next_ = Next::kValue;
        return *at_ == ':' && Advance();
      case Next::kCommaOrEnd:
        if (*at_ != ',') return Close();
        next_ = open_.back() == '{' ? Next::kName : Next::kValue;
        return Advance();
    }
    return false;
  }

  bool Advance() {
    ++at_;
    return true;
  }

  bool Open(Next next) {
    if (open_.size() == kMaxJsonDepth) return false;
    open_.push_back(*at_);
    next_ = next;
    return Advance();
  }

  bool Close() {
    if (*at_ != (open_.back() == '{' ? '}' : ']')) return false;
    open_.pop_back();
    next_ = Next::kCommaOrEnd;
    return Advance();
  }

  bool Name() {
    next_ = Next::kColon;
    return *at_ == '"' && String();
  }

  bool Value() {
    SkipBlanks();
    if (at_ == end_) return false;
    switch (*at_) {
      case '{':
        return Open(Next::kNameOrEnd);
      case '[':
        return Open(Next::kValueOrEnd);
      default:
        break;
    }
    next_ = Next::kCommaOrEnd;
    switch (*at_) {
      case '"':
        return String();
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }

  bool Word(std::string_view word) {
    for (const char c : word) {
      if (at_ == end_ || *at_ != c) return false;
      ++at_;
    }
    return true;
  }

  bool Digits() {
    if (at_ == end_ || !IsDigit(*at_)) return false;
    while (at_ != end_ && IsDigit(*at_)) ++at_;
    return true;
  }

  bool Number() {
    if (*at_ == '-') ++at_;
    if (at_ != end_ && *at_ == '0')
      ++at_;
    else if (!Digits())
      return false;
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      if (!Digits()) return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!Digits()) return false;
    }
    return true;
  }

  bool String() {
    ++at_;
    for (;;) {
      while (at_ != end_ && kPlain[static_cast<unsigned char>(*at_)]) ++at_;
      if (at_ == end_) return false;
      if (*at_ == '"') return Advance();
      if (*at_ != '\\' || !Escape()) return false;
    }
  }

  bool Escape() {
    if (++at_ == end_) return false;
    if (*at_ == 'u') {
      for (int i = 0; i < 4; ++i)
        if (++at_ == end_ || !IsHex(*at_)) return false;
      return Advance();
    }
    return std::string_view("\"\\/bfnrt").find(*at_) != std::string_view::npos && Advance();
  }

  void SkipBlanks() {
    if (at_ == end_ || !IsBlank(*at_)) return;
    CopyUpTo(at_);
    while (at_ != end_ && IsBlank(*at_)) ++at_;
    copied_ = at_;
  }

  void CopyUpTo(const char* end) {
    to_.append(copied_, static_cast<std::size_t>(end - copied_));
    copied_ = end;
  }

  const char* at_;
  const char* const end_;
  const char* copied_ = nullptr;  // Everything before this is in to_ or is whitespace.
  std::string& to_;
  std::vector<char> open_;  // The brackets that are open.
  Next next_ = Next::kValue;
};

}  // namespace

std::optional<std::size_t> AppendCompact(std::string_view json, std::string& to) {
  const std::size_t before = to.size();
  Compactor compactor(json, to);
  if (compactor.Run()) return std::nullopt;
  to.resize(before);
  return static_cast<std::size_t>(compactor.at() - json.data());
}

}  // namespace outbox::record
