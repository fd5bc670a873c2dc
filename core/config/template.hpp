// A text with the values of columns in it: "outbox.event.{aggregatetype}".
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
    std::string literal;                // before the column
    std::optional<std::string> column;  // nothing = the end of the text
  };

  // Errors: OUTBOX_BAD_CONFIG for a brace that is not closed, or `{}`, with the place in the text.
  [[nodiscard]] static Result<Template> Parse(std::string_view text);

  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  // The column, where the text is nothing but one.
  [[nodiscard]] const std::string* OnlyColumn() const;
  // The text, where no column is in it.
  [[nodiscard]] const std::string* OnlyText() const;

 private:
  std::vector<Piece> pieces_;  // the last one has no column
};

}  // namespace outbox::config
