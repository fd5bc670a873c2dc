// One object of the configuration, read key by key. What is absent keeps its default; what is wrong goes to Problems.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"

namespace outbox::config {

class Section {
 public:
  // `raw` is the same object before references were filled in: what messages may show. Both may be null = absent.
  Section(const nlohmann::json* object, const nlohmann::json* raw, std::string pointer, Problems& problems);

  // Reads the object under `key`.
  [[nodiscard]] Section Sub(std::string_view key);
  // Reads the list of objects under `key`.
  [[nodiscard]] std::vector<Section> List(std::string_view key, std::size_t max);
  // The value, nullptr = absent or already complained about.
  [[nodiscard]] const nlohmann::json* Find(std::string_view key);
  [[nodiscard]] const nlohmann::json* Raw(std::string_view key) const;

  void Read(std::string_view key, std::string& out);
  void Read(std::string_view key, bool& out);
  void Read(std::string_view key, std::uint32_t& out, std::uint32_t min, std::uint32_t max);
  void Read(std::string_view key, Duration& out, Duration min, Duration max);
  void ReadSize(std::string_view key, std::uint64_t& out, std::uint64_t min, std::uint64_t max);

  // False = absent or wrong.
  template <class T>
  bool ReadChoice(std::string_view key, T& out, std::initializer_list<std::pair<std::string_view, T>> choices) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return false;
    std::string expected;
    for (const auto& [name, choice] : choices) {
      if (value->is_string() && value->get_ref<const std::string&>() == name) {
        out = choice;
        return true;
      }
      expected += (expected.empty() ? "\"" : ", \"") + std::string(name) + "\"";
    }
    Wrong(key, "one of " + expected);
    return false;
  }

  // "<value> is not valid; expected <expected>"
  void Wrong(std::string_view key, const std::string& expected);
  // The same of one element of a list.
  void WrongAt(std::string_view key, std::size_t index, const std::string& expected);
  void Complain(std::string_view key, const std::string& text);

  // Last: keys that nobody has asked for are unknown.
  void Finish();

  [[nodiscard]] const nlohmann::json& object() const { return *object_; }
  [[nodiscard]] std::string Place(std::string_view key) const { return Join(pointer_, key); }

 private:
  const nlohmann::json* object_;
  const nlohmann::json* raw_;
  std::string pointer_;
  Problems& problems_;
  std::vector<std::string> known_;
};

}  // namespace outbox::config
