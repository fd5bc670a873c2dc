// Regular expressions with Java's syntax and meaning, limited to what routes need: characters, ".", classes, groups,
// and * + ? after a single character. There are no alternatives, repeated groups or back references, so that matching
// takes few steps.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "util/status.hpp"

namespace outbox::config {

class Pattern {
 public:
  // Compiles `regex`. Errors: OUTBOX_BAD_CONFIG, with the part of the expression that is not supported.
  [[nodiscard]] static Result<Pattern> Parse(std::string_view regex);

  // The result of a match; kTooLong = the match was given up after too many steps.
  enum class Outcome : std::uint8_t { kMatches, kDiffers, kTooLong };
  // Matches the expression against the whole text. Sets `groups` to the texts of the groups; the first is the whole
  // text.
  [[nodiscard]] Outcome Match(std::string_view text, std::vector<std::string_view>& groups) const;

  // Returns the names of the groups; the first stands for the whole text. "" = the group has no name.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  struct Step {
    enum class Kind : std::uint8_t { kCharacter, kOpen, kClose } kind;
    // All members except `group` are used only with kCharacter.
    std::bitset<256> bytes = {};  // The ASCII characters that match.
    bool others = false;          // True if characters beyond ASCII match too.
    bool line_ends = false;       // With `others`: true if characters beyond ASCII that end a line match too.
    std::string literal = {};     // The only character beyond ASCII that matches; "" = `others` decides.
    std::size_t min = 1;          // Minimum number of characters, 0 or 1.
    bool many = false;            // True if more than one character may match.
    std::size_t group = 0;        // With kOpen and kClose: number of the group; 0 = not captured.
  };
  friend class PatternParser;
  friend class PatternMatcher;

  std::vector<Step> steps_;
  std::vector<std::string> names_;
};

// The text that replaces a match: $1 stands for the first group, $0 for the whole match; a \ makes the next character
// literal.
struct Replacement {
  struct Piece {
    std::string literal;  // Text before the group.
    std::size_t group = 0;
    bool is_end = false;  // True for the last piece, which has no group.
  };
  std::vector<Piece> pieces;

  // Parses a replacement. Errors: OUTBOX_BAD_CONFIG if `text` refers to a group that the pattern does not have.
  [[nodiscard]] static Result<Replacement> Parse(std::string_view text, const Pattern& pattern);
};

}  // namespace outbox::config
