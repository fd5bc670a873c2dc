#include "sql/options.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "outbox/event.hpp"
#include "sql/source.hpp"

namespace outbox::sql {
namespace {

[[noreturn]] void Refuse(const std::string& text) { throw Error(OUTBOX_BAD_CONFIG, text); }

}  // namespace

std::map<std::string, std::string, std::less<>> ReadOptions(const std::string& json,
                                                            std::initializer_list<Option> known, Capture capture) {
  const auto object = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) Refuse("options: expected a JSON object");
  for (const auto& [key, value] : object.items()) {
    const auto same = [&key = key](const Option& o) { return o.key == key; };
    const auto option = std::find_if(known.begin(), known.end(), same);
    if (capture == Capture::kMayCapture && IsSourceOption(key)) continue;
    if (option == known.end()) {
      std::string valid;
      for (const Option& o : known) valid += (valid.empty() ? "" : ", ") + std::string(o.key);
      if (capture == Capture::kMayCapture) valid += ", capture, columns, record_columns";
      Refuse("options: unknown key '" + key + "'; valid here: " + valid);
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
