#include "util/json.hpp"

#include <nlohmann/json.hpp>

namespace outbox::util {

using nlohmann::ordered_json;

struct Json::Value {
  ordered_json json;
};

Json::Json(std::unique_ptr<Value> value) : value_(std::move(value)) {}
Json::Json() : Json(std::make_unique<Value>(Value{nullptr})) {}
Json::Json(bool value) : Json(std::make_unique<Value>(Value{value})) {}
Json::Json(std::int64_t value) : Json(std::make_unique<Value>(Value{value})) {}
Json::Json(std::uint64_t value) : Json(std::make_unique<Value>(Value{value})) {}
Json::Json(std::uint32_t value) : Json(std::uint64_t{value}) {}
Json::Json(std::string_view text) : Json(std::make_unique<Value>(Value{text})) {}
Json::Json(const std::string& text) : Json(std::string_view(text)) {}
Json::Json(const char* text) : Json(std::string_view(text)) {}
Json::Json(const std::vector<std::string>& texts) : Json(std::make_unique<Value>(Value{texts})) {}
Json::Json(const Json& other) : Json(std::make_unique<Value>(*other.value_)) {}
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(Json other) noexcept {
  value_.swap(other.value_);
  return *this;
}
Json::~Json() = default;

Json Json::Object(std::initializer_list<Member> members) {
  Json json(std::make_unique<Value>(Value{ordered_json::object()}));
  for (const auto& [name, value] : members) json.Set(name, value);
  return json;
}

Json Json::Array() { return Json(std::make_unique<Value>(Value{ordered_json::array()})); }

Json Json::Parse(std::string_view text) { return Json(std::make_unique<Value>(Value{ordered_json::parse(text)})); }

Json& Json::Set(std::string_view name, Json value) {
  value_->json[std::string(name)] = std::move(value.value_->json);
  return *this;
}

Json& Json::SetAllToNull() {
  for (auto& member : value_->json) member = nullptr;
  return *this;
}

Json& Json::Append(Json value) {
  value_->json.push_back(std::move(value.value_->json));
  return *this;
}

std::size_t Json::size() const { return value_->json.size(); }

std::string Json::Dump(NotUtf8 not_utf8, int indent) const {
  return value_->json.dump(
      indent, ' ', /*ensure_ascii=*/false,
      not_utf8 == NotUtf8::kReplace ? ordered_json::error_handler_t::replace : ordered_json::error_handler_t::strict);
}

std::string JsonLibraryVersion() {
  return std::to_string(NLOHMANN_JSON_VERSION_MAJOR) + "." + std::to_string(NLOHMANN_JSON_VERSION_MINOR) + "." +
         std::to_string(NLOHMANN_JSON_VERSION_PATCH);
}

}  // namespace outbox::util
