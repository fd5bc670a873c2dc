// Regular expressions as Java's, as far as routes need them: characters, ".", classes, groups, and * + ? behind one character. There
// are no alternatives, no repeated groups and no back references, so that a match is found in few steps.
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
  // Errors: OUTBOX_BAD_CONFIG, with what in it is not known here.
  [[nodiscard]] static Result<Pattern> Parse(std::string_view regex);

  enum class Outcome : std::uint8_t { kMatches, kDiffers, kTooLong };
  // Does it match the whole text? `groups` gets what its groups hold, the whole text first.
  [[nodiscard]] Outcome Match(std::string_view text, std::vector<std::string_view>& groups) const;

  // Of its groups, the whole text first; "" = it has no name.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  struct Step {
    enum class Kind : std::uint8_t { kCharacter, kOpen, kClose } kind;
    std::bitset<256> bytes = {};  // of kCharacter: those of ASCII
    bool others = false;          // and any character beyond ASCII
    bool line_ends = false;       // also those of them that end a line
    std::string literal = {};     // of kCharacter: this one beyond ASCII, nothing else
    std::size_t min = 1;
    bool many = false;
    std::size_t group = 0;
  };
  friend class PatternParser;
  friend class PatternMatcher;

  std::vector<Step> steps_;
  std::vector<std::string> names_;
};

// What a match becomes: text with $1 for a group, $0 for the whole, and \ before a character that is meant itself.
struct Replacement {
  struct Piece {
    std::string literal;  // before the group
    std::size_t group = 0;
    bool is_end = false;
  };
  std::vector<Piece> pieces;

  // Errors: OUTBOX_BAD_CONFIG, where a group is named that the pattern does not have.
  [[nodiscard]] static Result<Replacement> Parse(std::string_view text, const Pattern& pattern);
};

}  // namespace outbox::config
