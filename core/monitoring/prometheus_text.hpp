// Writes the text format of Prometheus, version 0.0.4: one family after the other, each with its HELP and TYPE lines.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace outbox::monitoring {

// Builds the text of one HTTP answer; each answer has its own object. Thread: one
class Exposition {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // Begins a family, to which samples are added next. `type` is counter, gauge or histogram.
  void Family(std::string_view name, std::string_view type, std::string_view help);
  // Adds a sample to the family that was begun last. `suffix` is appended to the name, as in _bucket.
  void Sample(double value, Labels labels = {}, std::string_view suffix = "");
  void Sample(std::uint64_t value, Labels labels = {}, std::string_view suffix = "");

  // Writes a family with one sample. If the value is not known, the family has only its HELP and TYPE lines.
  template <class T>
  void Single(std::string_view name, std::string_view type, std::string_view help, std::optional<T> value) {
    Family(name, type, help);
    if (value) Sample(*value);
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void Begin(Labels labels, std::string_view suffix);

  std::string text_;
  std::string family_;
};

}  // namespace outbox::monitoring
