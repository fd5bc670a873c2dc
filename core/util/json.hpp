// A JSON value that is built to be printed. Members keep the order in which they were set.
//
// It is a wrapper around nlohmann::ordered_json, which only json.cpp includes: that header takes several seconds to
// compile, and code that only prints JSON does not need it.
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

  // Values convert implicitly, so that Set("dead", true) reads like JSON. The default constructor makes null.
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
  // Parses a JSON text. Errors: throws std::exception if `text` is not JSON.
  [[nodiscard]] static Json Parse(std::string_view text);

  // Adds a member at the end, or replaces the value of an existing member of this name, which keeps its position.
  // REQUIRES: the value is an object, or null, which becomes an object.
  Json& Set(std::string_view name, Json value);
  // Replaces the value of every member by null. REQUIRES: the value is an object.
  Json& SetAllToNull();
  // Adds an element at the end. REQUIRES: the value is an array, or null, which becomes an array.
  Json& Append(Json value);
  // Returns the number of elements of an array, or of members of an object.
  [[nodiscard]] std::size_t size() const;

  // The way in which Dump() treats text that is not UTF-8.
  enum class NotUtf8 {
    kThrow,    // Throws std::exception.
    kReplace,  // Writes U+FFFD in place of bytes that are not UTF-8.
  };
  // Returns the value as JSON text. If `indent` is negative, the text is one line without spaces; otherwise each member
  // and element has a line of its own, indented by `indent` spaces per level.
  [[nodiscard]] std::string Dump(NotUtf8 not_utf8 = NotUtf8::kThrow, int indent = -1) const;

 private:
  struct Value;
  explicit Json(std::unique_ptr<Value> value);

  std::unique_ptr<Value> value_;  // The value; nullptr only after a move.
};

// Returns the version of nlohmann/json that the relay was compiled with, such as "3.11.2".
[[nodiscard]] std::string JsonLibraryVersion();

}  // namespace outbox::util
