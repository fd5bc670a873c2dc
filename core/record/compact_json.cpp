#include "record/compact_json.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace outbox::record {
namespace {

// The tokens that the syntax allows next.
enum class Next : std::uint8_t { kValue, kValueOrEnd, kNameOrEnd, kName, kCommaOrEnd };

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Has true for each byte that stands for itself in a string, because it neither ends the string nor begins an escape.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t i = 0x20; i < plain.size(); ++i) plain[i] = i != '"' && i != '\\';
  return plain;
}();

// Checks a JSON text and copies it without the whitespace between tokens. REQUIRES: `to` has room for the whole text.
class Compactor {
 public:
  Compactor(std::string_view json, char* to) : at_(json.data()), end_(at_ + json.size()), to_(to) {}

  // Returns false if the text is not JSON; at() is then the first wrong byte.
  bool Run() {
    if (!Value()) return false;
    while (!open_.empty() || next_ != Next::kCommaOrEnd) {
      SkipBlanks();
      if (at_ == end_ || !Step()) return false;
    }
    SkipBlanks();
    return at_ == end_;
  }
  [[nodiscard]] const char* at() const { return at_; }
  [[nodiscard]] const char* to() const { return to_; }  // The end of what was written.

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
      case Next::kCommaOrEnd:
        if (*at_ != ',') return Close();
        next_ = open_.back() == '{' ? Next::kName : Next::kValue;
        return Advance();
    }
    return false;
  }

  bool Advance() {
    *to_++ = *at_++;
    return true;
  }

  bool AdvanceIf(char c) { return at_ != end_ && *at_ == c && Advance(); }

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

  // Reads the name of a member and the colon after it.
  bool Name() {
    if (*at_ != '"' || !String()) return false;
    SkipBlanks();
    next_ = Next::kValue;
    return AdvanceIf(':');
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
    return std::all_of(word.begin(), word.end(), [this](char c) { return AdvanceIf(c); });
  }

  bool Digits() {
    if (at_ == end_ || !IsDigit(*at_)) return false;
    Copy([](char c) { return IsDigit(c); });
    return true;
  }

  bool Number() {
    AdvanceIf('-');
    if (!AdvanceIf('0') && !Digits()) return false;
    if (AdvanceIf('.') && !Digits()) return false;
    if (!AdvanceIf('e') && !AdvanceIf('E')) return true;
    if (!AdvanceIf('+')) AdvanceIf('-');
    return Digits();
  }

  bool String() {
    Advance();
    for (;;) {
      CopyPlainWords();
      Copy([](char c) { return kPlain[static_cast<unsigned char>(c)]; });
      if (at_ == end_) return false;
      if (*at_ == '"') return Advance();
      if (*at_ != '\\' || !Escape()) return false;
    }
  }

  // Copies bytes as long as `wanted` accepts them. The positions are copied to local variables: the compiler must
  // assume that a byte which is written through to_ changes a member of this object, and would load the members again
  // for each byte.
  template <class Wanted>
  void Copy(Wanted wanted) {
    const char* at = at_;
    char* to = to_;
    while (at != end_ && wanted(*at)) *to++ = *at++;
    at_ = at;
    to_ = to;
  }

  // Copies eight bytes at a time, as long as none of them ends the string, begins an escape or is a control character.
  void CopyPlainWords() {
    constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
    const auto has_zero = [](std::uint64_t word) { return (word - kOnes) & ~word & kHighs; };
    const char* at = at_;
    char* to = to_;
    for (std::uint64_t word = 0; end_ - at >= 8; at += 8, to += 8) {
      std::memcpy(&word, at, sizeof word);
      const std::uint64_t below_blank = (word - kOnes * 0x20) & ~word & kHighs;
      if ((below_blank | has_zero(word ^ (kOnes * '"')) | has_zero(word ^ (kOnes * '\\'))) != 0) break;
      std::memcpy(to, &word, sizeof word);
    }
    at_ = at;
    to_ = to;
  }

  bool Escape() {
    Advance();
    if (at_ == end_) return false;
    if (AdvanceIf('u')) {
      for (int i = 0; i < 4; ++i)
        if (at_ == end_ || !IsHex(*at_) || !Advance()) return false;
      return true;
    }
    return std::string_view("\"\\/bfnrt").find(*at_) != std::string_view::npos && Advance();
  }

  void SkipBlanks() {
    while (at_ != end_ && IsBlank(*at_)) ++at_;
  }

  const char* at_;
  const char* const end_;
  char* to_;
  std::string open_;  // The open brackets. They are few, so a string usually holds them without an allocation.
  Next next_ = Next::kValue;
};

}  // namespace

std::optional<std::size_t> AppendCompact(std::string_view json, std::string& to) {
  const std::size_t before = to.size();
  to.resize(before + json.size());
  Compactor compactor(json, to.data() + before);
  const bool good = compactor.Run();
  to.resize(good ? static_cast<std::size_t>(compactor.to() - to.data()) : before);
  if (good) return std::nullopt;
  return static_cast<std::size_t>(compactor.at() - json.data());
}

}  // namespace outbox::record
