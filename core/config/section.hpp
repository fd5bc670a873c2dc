// Reads one object of the configuration, key by key. A key that is absent leaves its default unchanged; mistakes are
// added to Problems.
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
  // `raw` is the same object before references were replaced by their values; messages show only text of `raw`.
  // `object` and `raw` are nullptr if the object is absent.
  Section(const nlohmann::json* object, const nlohmann::json* raw, std::string pointer, Problems& problems);

  // Reads the object under `key`.
  [[nodiscard]] Section Sub(std::string_view key);
  // Reads the list of objects under `key`.
  [[nodiscard]] std::vector<Section> List(std::string_view key, std::size_t max);
  // Returns the value; nullptr = the key is absent, or a problem with the value was added before. After this call the
  // key counts as known.
  [[nodiscard]] const nlohmann::json* Find(std::string_view key);
  // Returns the value from `raw`; nullptr = the key is absent.
  [[nodiscard]] const nlohmann::json* Raw(std::string_view key) const;

  // Set `out` to the value of the key, and add a problem if the value has another type or is not between `min` and
  // `max`.
  void Read(std::string_view key, std::string& out);
  void Read(std::string_view key, bool& out);
  void Read(std::string_view key, std::uint32_t& out, std::uint32_t min, std::uint32_t max);
  void Read(std::string_view key, Duration& out, Duration min, Duration max);
  void ReadSize(std::string_view key, std::uint64_t& out, std::uint64_t min, std::uint64_t max);

  // Sets `out` to the choice that the value of the key names. Returns false if the key is absent or its value is wrong.
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

  // Adds the problem "<value> is not valid; expected <expected>".
  void Wrong(std::string_view key, const std::string& expected);
  // Adds the same problem as Wrong() for one element of a list.
  void WrongAt(std::string_view key, std::size_t index, const std::string& expected);
  // Adds a problem with the text `text`.
  void Complain(std::string_view key, const std::string& text);

  // Adds a problem for each key that was not read. REQUIRES: all keys have been read.
  void Finish();

  [[nodiscard]] const nlohmann::json& object() const { return *object_; }
  // Returns the JSON pointer of the key.
  [[nodiscard]] std::string Place(std::string_view key) const { return Join(pointer_, key); }

 private:
  const nlohmann::json* object_;
  const nlohmann::json* raw_;
  std::string pointer_;
  Problems& problems_;
  std::vector<std::string> known_;
};

}  // namespace outbox::config
