#include "config/template.hpp"

namespace outbox::config {

Result<Template> Template::Parse(std::string_view text) {
  Template parsed;
  Piece piece;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{') {
      piece.literal += text[i];
    } else if (text.substr(i).starts_with("{{")) {
      piece.literal += text[i++];
    } else {
      const std::size_t end = text.find('}', i);
      const std::string place = " at character " + std::to_string(i + 1);
      if (end == std::string_view::npos)
        return Status(OUTBOX_BAD_CONFIG,
                      "the brace" + place + " is not closed; write {column}, or {{ for a literal brace");
      if (end == i + 1)
        return Status(OUTBOX_BAD_CONFIG,
                      "the braces" + place + " name no column; write {column}, or {{ for a literal brace");
      piece.column = text.substr(i + 1, end - i - 1);
      parsed.pieces_.push_back(std::move(piece));
      piece = {};
      i = end;
    }
  }
  parsed.pieces_.push_back(std::move(piece));
  return parsed;
}

const std::string* Template::OnlyColumn() const {
  const bool only = pieces_.size() == 2 && pieces_[0].literal.empty() && pieces_[1].literal.empty();
  return only ? &*pieces_[0].column : nullptr;
}

const std::string* Template::OnlyText() const { return pieces_.size() == 1 ? &pieces_[0].literal : nullptr; }

}  // namespace outbox::config
