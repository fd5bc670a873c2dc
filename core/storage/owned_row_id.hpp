// A row id that owns its bytes. It is used for ids that outlive the batch or the call from which they came.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "outbox/event.hpp"

namespace outbox::storage {

class OwnedRowId {
 public:
  OwnedRowId() = default;
  OwnedRowId(const RowId& id) {  // NOLINT(google-explicit-constructor)
    if (id.IsNumber())
      id_ = id.number();
    else
      id_.emplace<std::string>(id.bytes());
  }

  // Returns a view that is valid as long as this object.
  [[nodiscard]] RowId View() const {
    if (const auto* number = std::get_if<std::int64_t>(&id_)) return *number;
    return std::get<std::string>(id_);
  }
  operator RowId() const { return View(); }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] std::string ToText() const { return View().ToText(); }

  // Parses a text that RowId::ToText has printed. `is_number` is true if the store declares numbers as row ids. Returns
  // nothing if no row can have such an id.
  [[nodiscard]] static std::optional<OwnedRowId> Parse(std::string_view text, bool is_number) {
    if (!is_number) return text.empty() ? std::nullopt : std::optional<OwnedRowId>(RowId(text));
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return OwnedRowId(RowId(number));
  }

  friend bool operator==(const OwnedRowId& a, const OwnedRowId& b) { return a.id_ == b.id_; }
  friend bool operator==(const OwnedRowId& a, const RowId& b) { return a.View() == b; }

 private:
  std::variant<std::int64_t, std::string> id_;
};

}  // namespace outbox::storage
