#include "config/section.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/secrets.hpp"
#include "config/units.hpp"

namespace outbox::config {
namespace {

using nlohmann::json;

const json kNothing = json::object();
constexpr std::size_t kMaxShown = 60;

std::string Show(std::string_view key, const json& raw) {
  if (raw.is_object()) return "an object";
  if (raw.is_array()) return "a list";
  std::string shown = RedactValue(key, raw).dump(-1, ' ', /*ensure_ascii=*/true);
  if (shown.size() > kMaxShown) shown = shown.substr(0, kMaxShown) + "...";
  return shown;
}

}  // namespace

Section::Section(const json* object, const json* raw, std::string pointer, Problems& problems)
    : object_(&kNothing), raw_(&kNothing), pointer_(std::move(pointer)), problems_(problems) {
  if (object == nullptr) return;
  if (object->is_object()) {
    object_ = object;
    raw_ = raw;
  } else {
    problems_.Add(pointer_, Show("", *raw) + " is not valid; expected an object { ... }");
  }
}

Section Section::Sub(std::string_view key) { return {Find(key), Raw(key), Place(key), problems_}; }

std::vector<Section> Section::List(std::string_view key, std::size_t max) {
  std::vector<Section> list;
  const json* value = Find(key);
  if (value == nullptr) return list;
  if (!value->is_array() || value->size() > max) {
    Wrong(key, "a list [ ... ] of at most " + std::to_string(max) + " objects");
    return list;
  }
  list.reserve(value->size());
  for (std::size_t i = 0; i < value->size(); ++i) {
    Section section(&(*value)[i], &(*Raw(key))[i], Join(Place(key), std::to_string(i)), problems_);
    if ((*value)[i].is_object()) list.push_back(std::move(section));
  }
  return list;
}

const json* Section::Find(std::string_view key) {
  known_.emplace_back(key);
  const auto found = object_->find(key);
  return found == object_->end() || problems_.Has(Place(key)) ? nullptr : &*found;
}

const json* Section::Raw(std::string_view key) const {
  const auto found = raw_->find(key);
  return found == raw_->end() ? nullptr : &*found;
}

void Section::Read(std::string_view key, std::string& out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (value->is_string()) {
    out = value->get<std::string>();
  } else {
    Wrong(key, "a string in quotes");
  }
}

void Section::Read(std::string_view key, bool& out) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (value->is_boolean()) {
    out = value->get<bool>();
  } else {
    Wrong(key, "true or false");
  }
}

void Section::Read(std::string_view key, std::uint32_t& out, std::uint32_t min, std::uint32_t max) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() >= min && value->get<std::uint64_t>() <= max) {
    out = value->get<std::uint32_t>();
  } else {
    Wrong(key, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }
}

void Section::Read(std::string_view key, Duration& out, Duration min, Duration max) {
  const json* value = Find(key);
  if (value == nullptr) return;
  const auto duration = value->is_string() ? ParseDuration(value->get_ref<const std::string&>()) : std::nullopt;
  if (duration && *duration >= min && *duration <= max) {
    out = *duration;
  } else {
    Wrong(key, "a duration from \"" + Write(min) + "\" to \"" + Write(max) +
                   "\", a whole number with the unit ms, s, m or h");
  }
}

void Section::ReadSize(std::string_view key, std::uint64_t& out, std::uint64_t min, std::uint64_t max) {
  const json* value = Find(key);
  if (value == nullptr) return;
  std::optional<std::uint64_t> size;
  if (value->is_number_unsigned()) size = value->get<std::uint64_t>();
  if (value->is_string()) size = ParseSize(value->get_ref<const std::string&>());
  if (size && *size >= min && *size <= max) {
    out = *size;
  } else {
    Wrong(key, "a size from \"" + WriteSize(min) + "\" to \"" + WriteSize(max) +
                   "\", such as \"32MiB\", \"64KiB\", \"10MB\" or a number of bytes");
  }
}

void Section::Wrong(std::string_view key, const std::string& expected) {
  const json* raw = Raw(key);
  Complain(key, (raw == nullptr ? "missing" : Show(key, *raw) + " is not valid") + "; expected " + expected);
}

void Section::WrongAt(std::string_view key, std::size_t index, const std::string& expected) {
  problems_.Add(Join(Place(key), std::to_string(index)),
                Show(key, Raw(key)->at(index)) + " is not valid; expected " + expected);
}

void Section::Complain(std::string_view key, const std::string& text) { problems_.Add(Place(key), text); }

void Section::Finish() {
  for (const auto& [key, value] : object_->items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string nearest = Nearest(key, known_);
    std::string text = "unknown key; ";
    if (!nearest.empty()) {
      text += "did you mean \"" + nearest + "\"?";
    } else {
      text += "valid here:";
      for (const std::string& known : known_) text += (known == known_.front() ? " " : ", ") + known;
    }
    Complain(key, text);
  }
}

}  // namespace outbox::config
