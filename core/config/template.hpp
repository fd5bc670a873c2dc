// A text into which the values of columns are inserted, such as "outbox.event.{aggregatetype}".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "util/status.hpp"

namespace outbox::config {

class Template {
 public:
  struct Piece {
    std::string literal;                // The text before the column.
    std::optional<std::string> column;  // Name of the column; nothing in the last piece, which ends the text.
  };

  // Parses a template. Errors: OUTBOX_BAD_CONFIG for a brace that is not closed and for `{}`, with the position in the
  // text.
  [[nodiscard]] static Result<Template> Parse(std::string_view text);

  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  // Returns the column if the template consists of a single column, otherwise nullptr.
  [[nodiscard]] const std::string* OnlyColumn() const;
  // Returns the text if the template has no column, otherwise nullptr.
  [[nodiscard]] const std::string* OnlyText() const;

 private:
  std::vector<Piece> pieces_;  // INVARIANT: only the last piece has no column.
};

}  // namespace outbox::config
