// Parses a JSON text into the tree that Jackson, Debezium's JSON library, makes of it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace outbox::record {

// A value of a document. Its texts point into the parsed text, or into the document.
struct JsonNode {
  enum class Kind : std::uint8_t {
    kNull,
    kTrue,
    kFalse,
    kInt32,
    kInt64,
    kBigInteger,
    kDouble,
    kString,
    kArray,
    kObject
  };
  static constexpr std::uint32_t kNone = UINT32_MAX;  // An index that means "no node".

  Kind kind = Kind::kNull;
  bool escaped = false;                       // For a string: true if it contains escapes.
  std::string_view text;                      // Text of a number, or of a string between its quotes.
  std::string_view name;                      // For a member of an object: its name, decoded.
  std::uint32_t first = kNone, next = kNone;  // Index of the first child, and of the next sibling.

  [[nodiscard]] bool IsNumber() const { return kind >= Kind::kInt32 && kind <= Kind::kDouble; }
};

// Decodes the text between the quotes of a JSON string and appends it. Returns false if it contains an unpaired
// surrogate, which has no UTF-8.
[[nodiscard]] bool DecodeJsonString(std::string_view inside, std::string& to);

// The first JSON document of a text, in the form of the tree that Jackson makes of it: of two members with the same
// name, the last value is kept in the place of the first.
class JsonDocument {
 public:
  // Returns false if the text does not begin with a JSON document. Text after the document is ignored.
  [[nodiscard]] bool Parse(std::string_view text);
  [[nodiscard]] const JsonNode& operator[](std::uint32_t i) const { return nodes_[i]; }
  [[nodiscard]] const JsonNode& root() const { return nodes_[root_]; }
  [[nodiscard]] std::size_t size() const { return size_; }  // Size of the document's text in bytes.
  // Returns true if the name of a member contains an unpaired surrogate.
  [[nodiscard]] bool odd_name() const { return odd_name_; }

 private:
  std::uint32_t Add(JsonNode node);
  void SkipBlanks();
  bool Take(char c);
  // Parses a value and returns the index of its node. `depth` is the number of brackets around it.
  std::optional<std::uint32_t> Value(std::size_t depth);
  std::optional<std::uint32_t> Word(std::string_view word, JsonNode::Kind kind);
  std::size_t Digits();
  std::optional<std::uint32_t> Number();
  bool String(std::string_view& inside, bool& escaped);
  std::optional<std::uint32_t> Array(std::size_t depth);
  std::optional<std::uint32_t> Object(std::size_t depth);
  void Put(std::vector<std::uint32_t>& members, std::unordered_map<std::string_view, std::size_t>& by_name,
           std::uint32_t value);

  const char *at_ = nullptr, *end_ = nullptr;  // The text that is not parsed yet.
  std::vector<JsonNode> nodes_;
  std::deque<std::string> names_;  // The decoded names of members; a deque, because the nodes point into them.
  std::uint32_t root_ = 0;
  std::size_t size_ = 0;
  bool odd_name_ = false;
};

}  // namespace outbox::record
