// A JSON value that is built to be printed. Members keep the order in which they were set.
//
// nlohmann::ordered_json does the work, in json.cpp: its header takes a compiler several seconds, and who only prints
// does not need it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::util {

class Json {
 public:
  using Member = std::pair<std::string_view, Json>;

  // Values convert implicitly, so that Set("dead", true) reads as JSON does. A Json without an argument is null.
  Json();
  Json(std::nullptr_t) : Json() {}              // NOLINT(google-explicit-constructor)
  Json(bool value);                             // NOLINT(google-explicit-constructor)
  Json(std::int64_t value);                     // NOLINT(google-explicit-constructor)
  Json(std::uint64_t value);                    // NOLINT(google-explicit-constructor)
  Json(std::uint32_t value);                    // NOLINT(google-explicit-constructor)
  Json(std::string_view text);                  // NOLINT(google-explicit-constructor)
  Json(const std::string& text);                // NOLINT(google-explicit-constructor)
  Json(const char* text);                       // NOLINT(google-explicit-constructor)
  Json(const std::vector<std::string>& texts);  // NOLINT(google-explicit-constructor)
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(Json other) noexcept;
  ~Json();

  [[nodiscard]] static Json Object(std::initializer_list<Member> members = {});
  [[nodiscard]] static Json Array();
  // Errors: throws std::exception if `text` is not JSON.
  [[nodiscard]] static Json Parse(std::string_view text);

  // Adds a member at the end, or replaces the value of the member of this name in its place.
  // REQUIRES: an object, or null, which becomes one.
  Json& Set(std::string_view name, Json value);
  // Replaces the value of every member by null. REQUIRES: an object.
  Json& SetAllToNull();
  // REQUIRES: an array, or null, which becomes one.
  Json& Append(Json value);
  // Number of elements of an array, or of members of an object.
  [[nodiscard]] std::size_t size() const;

  enum class NotUtf8 {
    kThrow,    // std::exception
    kReplace,  // U+FFFD stands for what is not UTF-8
  };
  // One line without blanks, or with `indent` spaces a level one line for each member and element.
  [[nodiscard]] std::string Dump(NotUtf8 not_utf8 = NotUtf8::kThrow, int indent = -1) const;

 private:
  struct Value;
  explicit Json(std::unique_ptr<Value> value);

  std::unique_ptr<Value> value_;  // nullptr only after a move
};

// The version of nlohmann/json that this was compiled with, such as "3.11.2".
[[nodiscard]] std::string JsonLibraryVersion();

}  // namespace outbox::util
