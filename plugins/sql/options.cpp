#include "sql/options.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "outbox/event.hpp"

namespace outbox::sql {
namespace {

std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(row[j + 1], std::min({row[j + 1] + 1, row[j] + 1, diagonal + (a[i] != b[j] ? 1 : 0)}));
  }
  return row.back();
}

[[noreturn]] void Refuse(const std::string& text) { throw Error(OUTBOX_BAD_CONFIG, text); }

}  // namespace

std::map<std::string, std::string, std::less<>> ReadOptions(const std::string& json,
                                                            std::initializer_list<Option> known) {
  const auto object = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) Refuse("options: expected a JSON object");
  for (const auto& [key, value] : object.items()) {
    const auto same = [&key = key](const Option& o) { return o.key == key; };
    const auto option = std::find_if(known.begin(), known.end(), same);
    if (option == known.end()) {
      const auto nearest = std::min_element(known.begin(), known.end(), [&key = key](const Option& a, const Option& b) {
        return Distance(key, a.key) < Distance(key, b.key);
      });
      Refuse("options: unknown key '" + key + "'; did you mean '" + std::string(nearest->key) + "'?");
    }
    if (!value.is_string() && !(option->number && value.is_number_unsigned()))
      Refuse("options: '" + key + "' must be a " + (option->number ? "whole number" : "string"));
  }
  std::map<std::string, std::string, std::less<>> read;
  for (const Option& option : known) {
    const auto found = object.find(std::string(option.key));
    if (found == object.end() && option.fallback.data() == nullptr)
      Refuse("options: '" + std::string(option.key) + "' is required");
    read.emplace(option.key, found == object.end() ? std::string(option.fallback)
                             : found->is_string()  ? found->get<std::string>()
                                                   : found->dump());
  }
  return read;
}

}  // namespace outbox::sql
