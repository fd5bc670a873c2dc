#include "record/debezium_json.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "record/column_text.hpp"
#include "record/compact_json.hpp"
#include "record/java_number.hpp"

namespace outbox::record {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;
constexpr std::size_t kMaxDigits = 1000;  // Largest number of digits of a number, as in Jackson.
constexpr std::size_t kFewMembers = 16;   // Objects with at most this many members are searched linearly.
// Limit for the number of comparisons of names and shapes in a document. A document that needs more comparisons is
// treated like a document that stops the connector.
constexpr std::size_t kMaxComparisons = 1'000'000;
constexpr std::string_view kRoot = "payload";  // Name of the derived schema.

enum class Kind : std::uint8_t { kNull, kTrue, kFalse, kInt32, kInt64, kBigInteger, kDouble, kString, kArray, kObject };

bool IsNumber(Kind kind) { return kind >= Kind::kInt32 && kind <= Kind::kDouble; }

// A value of the document.
struct Node {
  Kind kind = Kind::kNull;
  bool escaped = false;                       // For a string: true if it contains escapes.
  std::string_view text;                      // Text of a number, or of a string between its quotes.
  std::string_view name;                      // For a member of an object: its name, decoded.
  std::uint32_t first = kNone, next = kNone;  // Index of the first child, and of the next sibling.
};

// Decodes the text between the quotes of a JSON string and appends it. Returns false if it contains an unpaired
// surrogate, which has no UTF-8.
bool Decode(std::string_view inside, std::string& to) {
  const auto unit = [&inside](std::size_t i) {
    unsigned value = 0;
    std::from_chars(inside.data() + i, inside.data() + i + 4, value, 16);
    return value;
  };
  const auto put = [&to](unsigned code) {
    if (code < 0x80) {
      to += static_cast<char>(code);
      return;
    }
    if (code < 0x800) {
      to += static_cast<char>(0xC0 | code >> 6);
    } else {
      if (code < 0x10000) {
        to += static_cast<char>(0xE0 | code >> 12);
      } else {
        to += static_cast<char>(0xF0 | code >> 18);
        to += static_cast<char>(0x80 | (code >> 12 & 0x3F));
      }
      to += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    }
    to += static_cast<char>(0x80 | (code & 0x3F));
  };
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != '\\') {
      to += inside[i];
      continue;
    }
    const char c = inside[++i];
    if (c != 'u') {
      constexpr std::string_view kLetters = "bfnrt", kStandFor = "\b\f\n\r\t";
      const std::size_t letter = kLetters.find(c);
      to += letter == std::string_view::npos ? c : kStandFor[letter];
      continue;
    }
    unsigned code = unit(i + 1);
    i += 4;
    if (code >= 0xDC00 && code <= 0xDFFF) return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (inside.substr(i + 1, 2) != "\\u") return false;
      const unsigned low = unit(i + 3);
      if (low < 0xDC00 || low > 0xDFFF) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      i += 6;
    }
    put(code);
  }
  return true;
}

// The first JSON document of a text, in the form of the tree that Jackson makes of it: of two members with the same
// name, the last value is kept in the place of the first.
class Document {
 public:
  // Returns false if the text does not begin with a JSON document. Text after the document is ignored.
  bool Parse(std::string_view text) {
    at_ = text.data();
    end_ = at_ + text.size();
    const auto root = Value(0);
    size_ = static_cast<std::size_t>(at_ - text.data());
    return root.has_value();
  }
  [[nodiscard]] const Node& operator[](std::uint32_t i) const { return nodes_[i]; }
  [[nodiscard]] const Node& root() const { return nodes_[root_]; }
  [[nodiscard]] std::size_t size() const { return size_; }  // Size of the document's text in bytes.
  // Returns true if the name of a member contains an unpaired surrogate.
  [[nodiscard]] bool odd_name() const { return odd_name_; }

 private:
  std::uint32_t Add(Node node) {
    nodes_.push_back(node);
    return static_cast<std::uint32_t>(nodes_.size() - 1);
  }

  void SkipBlanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool Take(char c) {
    SkipBlanks();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  // Parses a value and returns the index of its node. `depth` is the number of brackets around it.
  std::optional<std::uint32_t> Value(std::size_t depth) {
    SkipBlanks();
    if (at_ == end_) return std::nullopt;
    switch (*at_) {
      case '{':
        return depth == kMaxJsonDepth ? std::nullopt : Object(depth);
      case '[':
        return depth == kMaxJsonDepth ? std::nullopt : Array(depth);
      case '"': {
        Node node;
        node.kind = Kind::kString;
        if (!String(node.text, node.escaped)) return std::nullopt;
        return Add(node);
      }
      case 't':
        return Word("true", Kind::kTrue);
      case 'f':
        return Word("false", Kind::kFalse);
      case 'n':
        return Word("null", Kind::kNull);
      default:
        return Number();
    }
  }

  std::optional<std::uint32_t> Word(std::string_view word, Kind kind) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) return std::nullopt;
    at_ += word.size();
    Node node;
    node.kind = kind;
    return Add(node);
  }

  std::size_t Digits() {
    const char* const begin = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return static_cast<std::size_t>(at_ - begin);
  }

  std::optional<std::uint32_t> Number() {
    const char* const begin = at_;
    if (*at_ == '-') ++at_;
    const bool zero = at_ != end_ && *at_ == '0';
    std::size_t digits = Digits();
    if (digits == 0 || (zero && digits > 1)) return std::nullopt;
    Node node;
    node.kind = Kind::kInt64;
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      const std::size_t fraction = Digits();
      if (fraction == 0) return std::nullopt;
      digits += fraction;
      node.kind = Kind::kDouble;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      const std::size_t power = Digits();
      if (power == 0) return std::nullopt;
      digits += power;
      node.kind = Kind::kDouble;
    }
    if (digits > kMaxDigits) return std::nullopt;
    node.text = {begin, static_cast<std::size_t>(at_ - begin)};
    if (node.kind != Kind::kDouble) {
      std::int64_t number = 0;
      if (std::from_chars(begin, at_, number).ec != std::errc())
        node.kind = Kind::kBigInteger;
      else if (number >= INT32_MIN && number <= INT32_MAX)
        node.kind = Kind::kInt32;
    }
    return Add(node);
  }

  bool String(std::string_view& inside, bool& escaped) {
    const char* const begin = ++at_;
    for (; at_ != end_; ++at_) {
      const auto c = static_cast<unsigned char>(*at_);
      if (c < 0x20) return false;
      if (c == '"') {
        inside = {begin, static_cast<std::size_t>(at_ - begin)};
        ++at_;
        return true;
      }
      if (c != '\\') continue;
      escaped = true;
      if (++at_ == end_) return false;
      if (*at_ == 'u') {
        for (int i = 0; i < 4; ++i)
          if (++at_ == end_ || std::string_view("0123456789abcdefABCDEF").find(*at_) == std::string_view::npos)
            return false;
      } else if (std::string_view("\"\\/bfnrt").find(*at_) == std::string_view::npos) {
        return false;
      }
    }
    return false;
  }

  std::optional<std::uint32_t> Array(std::size_t depth) {
    ++at_;
    Node node;
    node.kind = Kind::kArray;
    const std::uint32_t place = Add(node);
    if (depth == 0) root_ = place;
    if (Take(']')) return place;
    std::uint32_t last = kNone;
    do {
      const auto element = Value(depth + 1);
      if (!element) return std::nullopt;
      (last == kNone ? nodes_[place].first : nodes_[last].next) = *element;
      last = *element;
    } while (Take(','));
    return Take(']') ? std::optional(place) : std::nullopt;
  }

  std::optional<std::uint32_t> Object(std::size_t depth) {
    ++at_;
    Node node;
    node.kind = Kind::kObject;
    const std::uint32_t place = Add(node);
    if (depth == 0) root_ = place;
    if (Take('}')) return place;
    std::vector<std::uint32_t> members;
    std::unordered_map<std::string_view, std::size_t> by_name;  // Used if there are many members.
    do {
      SkipBlanks();
      if (at_ == end_ || *at_ != '"') return std::nullopt;
      std::string_view name;
      bool escaped = false;
      if (!String(name, escaped) || !Take(':')) return std::nullopt;
      if (escaped) {
        std::string& decoded = names_.emplace_back();
        odd_name_ = !Decode(name, decoded) || odd_name_;
        name = decoded;
      }
      const auto value = Value(depth + 1);
      if (!value) return std::nullopt;
      nodes_[*value].name = name;
      Put(members, by_name, *value);
    } while (Take(','));
    if (!Take('}')) return std::nullopt;
    nodes_[place].first = members.front();
    for (std::size_t i = 0; i + 1 < members.size(); ++i) nodes_[members[i]].next = members[i + 1];
    nodes_[members.back()].next = kNone;
    return place;
  }

  void Put(std::vector<std::uint32_t>& members, std::unordered_map<std::string_view, std::size_t>& by_name,
           std::uint32_t value) {
    const std::string_view name = nodes_[value].name;
    if (members.size() <= kFewMembers) {
      const auto same =
          std::find_if(members.begin(), members.end(), [&](std::uint32_t m) { return nodes_[m].name == name; });
      if (same != members.end()) {
        *same = value;
        return;
      }
      members.push_back(value);
      return;
    }
    if (by_name.empty())
      for (std::size_t i = 0; i < members.size(); ++i) by_name.emplace(nodes_[members[i]].name, i);
    const auto [same, fresh] = by_name.emplace(name, members.size());
    if (fresh)
      members.push_back(value);
    else
      members[same->second] = value;
  }

  const char *at_ = nullptr, *end_ = nullptr;
  std::vector<Node> nodes_;
  std::deque<std::string> names_;
  std::uint32_t root_ = 0;
  std::size_t size_ = 0;
  bool odd_name_ = false;
};

// A schema of Kafka Connect.
struct Schema {
  enum class Type : std::uint8_t { kString, kBoolean, kInt32, kInt64, kDouble, kBytes, kArray, kStruct };
  struct Field {
    std::string_view name;
    std::uint32_t schema;
  };
  Type type;
  bool optional = true;
  std::uint32_t items = kNone;  // For an array: the schema of its elements.
  std::vector<Field> fields;
  std::optional<std::string> name;  // For a structure that has a name.
};

// The result of writing a document.
enum class Outcome : std::uint8_t {
  kSame,  // Debezium writes the document, and its output equals the text that was written here.
  kText,  // No schema can be derived, so Debezium treats the payload as text.
  kStops  // The document stops the connector, or Debezium loses a part of the document.
};

// Derives the schema of a document and writes the document according to it.
class Expander {
 public:
  Expander(const Document& document, const Expansion& how) : document_(document), how_(how) {}

  Outcome Run(std::string& to) {
    const Node& root = document_.root();
    const auto schema = Derive(root, how_.with_schema ? std::optional(std::string(kRoot)) : std::nullopt);
    if (is_text_ || !schema) return Outcome::kText;
    if (stops_ || root.kind == Kind::kArray || document_.odd_name()) return Outcome::kStops;
    if (how_.with_schema) {
      to += "{\"schema\":";
      Describe(*schema, {}, to);
      to += ",\"payload\":";
    }
    if (!Write(root, *schema, to)) return Outcome::kStops;
    if (how_.with_schema) to += '}';
    return Outcome::kSame;
  }

 private:
  using Path = std::optional<std::string>;

  std::uint32_t Add(Schema schema) {
    schemas_.push_back(std::move(schema));
    return static_cast<std::uint32_t>(schemas_.size() - 1);
  }
  std::uint32_t Simple(Schema::Type type) {
    Schema schema;
    schema.type = type;
    return Add(std::move(schema));
  }
  // Ends the derivation, because no schema can be derived.
  std::optional<std::uint32_t> IsText() {
    is_text_ = true;
    return std::nullopt;
  }
  // Counts a comparison. Returns false once there were more than kMaxComparisons.
  bool Compare() { return ++comparisons_ <= kMaxComparisons; }

  static Schema::Type TypeOf(Kind number) {
    if (number == Kind::kInt32) return Schema::Type::kInt32;
    return number == Kind::kInt64 ? Schema::Type::kInt64 : Schema::Type::kDouble;
  }

  // Derives the schema of a value. Returns nothing if the value has no schema; a member without a schema is left out.
  std::optional<std::uint32_t> Derive(const Node& node, const Path& path) {
    switch (node.kind) {
      case Kind::kNull:
        return how_.keep_nulls ? std::optional(Simple(Schema::Type::kBytes)) : std::nullopt;
      case Kind::kTrue:
      case Kind::kFalse:
        return Simple(Schema::Type::kBoolean);
      case Kind::kString:
        return Simple(Schema::Type::kString);
      case Kind::kArray:
        return node.first == kNone ? std::nullopt : DeriveArray(node, path);
      case Kind::kObject:
        return DeriveObject(node, path);
      default:
        return Simple(TypeOf(node.kind));
    }
  }

  std::optional<std::uint32_t> DeriveObject(const Node& node, const Path& path) {
    Schema schema;
    schema.type = Schema::Type::kStruct;
    schema.name = path;
    for (std::uint32_t m = node.first; m != kNone; m = document_[m].next) {
      const Node& member = document_[m];
      Path below;
      if (how_.with_schema) below = (path && !path->empty() ? *path + '.' : "") + std::string(member.name);
      const auto found = Derive(member, below);
      if (is_text_) return std::nullopt;
      if (!found) continue;
      if (member.name.empty()) return IsText();
      schema.fields.push_back({member.name, *found});
    }
    return Add(std::move(schema));
  }

  std::optional<std::uint32_t> DeriveArray(const Node& node, const Path& path) {
    // All elements that are not null must be of the same kind.
    const Node* sample = nullptr;
    for (std::uint32_t e = node.first; e != kNone; e = document_[e].next) {
      const Node& element = document_[e];
      if (element.kind == Kind::kNull) continue;
      if (sample == nullptr) sample = &element;
      if (!IsSameKind(*sample, element)) return IsText();
    }
    std::optional<std::uint32_t> items;
    if (sample != nullptr && sample->kind == Kind::kObject)
      items = DeriveElements(node, path);
    else
      items = Derive(sample == nullptr ? document_[node.first] : *sample, {});
    if (is_text_) return std::nullopt;
    if (!items) return IsText();
    Schema schema;
    schema.type = Schema::Type::kArray;
    schema.items = *items;
    return Add(std::move(schema));
  }

  static bool IsSameKind(const Node& a, const Node& b) {
    if (IsNumber(a.kind) && IsNumber(b.kind)) return TypeOf(a.kind) == TypeOf(b.kind);
    const auto plain = [](Kind kind) { return kind == Kind::kFalse ? Kind::kTrue : kind; };
    return plain(a.kind) == plain(b.kind);
  }

  // Derives one schema for the objects in a list. The schema has the members of all shapes that the objects have.
  // Debezium merges the shapes in an order that depends on the Java process; here they are merged in the order of the
  // elements. The results are the same if each shape is the beginning of the next longer one.
  std::optional<std::uint32_t> DeriveElements(const Node& node, const Path& path) {
    std::vector<std::uint32_t> shapes;
    bool has_null = false;
    for (std::uint32_t e = node.first; e != kNone; e = document_[e].next) {
      if (document_[e].kind == Kind::kNull) {
        has_null = true;
        continue;
      }
      const auto shape = Derive(document_[e], path);
      if (!shape) return std::nullopt;
      if (!stops_ && std::none_of(shapes.begin(), shapes.end(), [&](std::uint32_t s) { return IsEqual(s, *shape); }))
        shapes.push_back(*shape);
    }
    if (shapes.size() == 1) return shapes.front();
    stops_ = stops_ || has_null;  // Merged schemas are not optional, so null is not allowed.
    Schema merged;
    merged.type = Schema::Type::kStruct;
    merged.optional = false;
    merged.name = path;
    for (const std::uint32_t shape : shapes)
      for (const Schema::Field& field : schemas_[shape].fields)
        if (!stops_ && !Merge(merged.fields, field)) stops_ = true;
    return Add(std::move(merged));
  }

  // Adds `field` to `fields`. Returns false if a field with this name and another type exists, or after too many
  // comparisons.
  bool Merge(std::vector<Schema::Field>& fields, const Schema::Field& field) {
    const auto old = std::find_if(fields.begin(), fields.end(),
                                  [&](const Schema::Field& f) { return !Compare() || f.name == field.name; });
    if (comparisons_ > kMaxComparisons) return false;
    if (old == fields.end()) {
      fields.push_back(field);
      return true;
    }
    if (IsEqual(old->schema, field.schema)) return true;
    if (schemas_[old->schema].type == Schema::Type::kBytes) {
      old->schema = field.schema;
      return true;
    }
    return schemas_[field.schema].type == Schema::Type::kBytes;
  }

  [[nodiscard]] bool IsEqual(std::uint32_t a, std::uint32_t b) {
    if (!Compare()) stops_ = true;
    const Schema &left = schemas_[a], &right = schemas_[b];
    if (left.type != right.type || left.optional != right.optional || left.fields.size() != right.fields.size())
      return false;
    if (left.type == Schema::Type::kArray) return IsEqual(left.items, right.items);
    for (std::size_t i = 0; i < left.fields.size(); ++i)
      if (left.fields[i].name != right.fields[i].name || !IsEqual(left.fields[i].schema, right.fields[i].schema))
        return false;
    return true;
  }

  // Writes a schema as JsonConverter does. `field` is the name of the member that has the schema.
  void Describe(std::uint32_t place, std::optional<std::string_view> field, std::string& to) {
    static constexpr const char* kTypes[] = {"string", "boolean", "int32", "int64",
                                             "double", "bytes",   "array", "struct"};
    const Schema& schema = schemas_[place];
    ((to += "{\"type\":\"") += kTypes[static_cast<std::size_t>(schema.type)]) += '"';
    if (schema.type == Schema::Type::kArray) {
      to += ",\"items\":";
      Describe(schema.items, {}, to);
    }
    if (schema.type == Schema::Type::kStruct) {
      to += ",\"fields\":[";
      for (std::size_t i = 0; i < schema.fields.size(); ++i) {
        if (i > 0) to += ',';
        Describe(schema.fields[i].schema, schema.fields[i].name, to);
      }
      to += ']';
    }
    to += schema.optional ? ",\"optional\":true" : ",\"optional\":false";
    if (schema.name) {
      to += ",\"name\":";
      AppendJsonString(*schema.name, to);
    }
    if (field) {
      to += ",\"field\":";
      AppendJsonString(*field, to);
    }
    to += '}';
  }

  // Writes a value by its schema. Returns false if the value does not fit the schema, which may have been derived from
  // another value, or if a part of the value would be lost.
  bool Write(const Node& node, std::uint32_t place, std::string& to) {
    using Type = Schema::Type;
    const Type type = schemas_[place].type;
    switch (node.kind) {
      case Kind::kNull:
        to += "null";
        return true;
      case Kind::kTrue:
      case Kind::kFalse:
        to += node.kind == Kind::kTrue ? "true" : "false";
        return type == Type::kBoolean;
      case Kind::kInt32:
        to += node.text == "-0" ? "0" : node.text;
        return type == Type::kInt32;
      case Kind::kInt64:
        to += node.text;
        return type == Type::kInt64;
      case Kind::kBigInteger:
        return false;
      case Kind::kDouble:
        AppendJavaJsonDouble(node.text, to);
        return type == Type::kDouble;
      case Kind::kString:
        return type == Type::kString && WriteString(node, to);
      case Kind::kArray:
        return type == Type::kArray && WriteArray(node, schemas_[place].items, to);
      case Kind::kObject:
        return type == Type::kStruct && WriteObject(node, schemas_[place], to);
    }
    return false;
  }

  bool WriteString(const Node& node, std::string& to) {
    if (!node.escaped) {
      AppendJsonString(node.text, to);
      return true;
    }
    decoded_.clear();
    if (!Decode(node.text, decoded_)) return false;
    AppendJsonString(decoded_, to);
    return true;
  }

  bool WriteArray(const Node& node, std::uint32_t items, std::string& to) {
    to += '[';
    for (std::uint32_t e = node.first; e != kNone; e = document_[e].next) {
      if (e != node.first) to += ',';
      if (document_[e].kind == Kind::kNull && !schemas_[items].optional) return false;
      if (!Write(document_[e], items, to)) return false;
    }
    to += ']';
    return true;
  }

  // Writes an object in the order of the schema, which usually is the order of the members.
  bool WriteObject(const Node& node, const Schema& schema, std::string& to) {
    to += '{';
    std::uint32_t m = node.first;
    bool in_order = true;
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
      const Schema::Field& field = schema.fields[i];
      if (i > 0) to += ',';
      AppendJsonString(field.name, to);
      to += ':';
      if (!in_order) m = node.first;
      while (m != kNone && document_[m].name != field.name) {
        if (!Compare()) return false;
        if (in_order && !IsLeftOut(document_[m])) {
          in_order = false;
          m = node.first;
          continue;
        }
        m = document_[m].next;
      }
      if (m == kNone) {
        to += "null";
        in_order = false;
        continue;
      }
      if (!Write(document_[m], field.schema, to)) return false;
      m = document_[m].next;
    }
    to += '}';
    return in_order ? KeepsRest(m) : KeepsAll(node, schema);
  }

  // Returns true for a member whose value gives no schema, so that the member is part of a schema only if another
  // object also has it.
  [[nodiscard]] static bool IsLeftOut(const Node& member) {
    return member.kind == Kind::kNull || (member.kind == Kind::kArray && member.first == kNone);
  }
  [[nodiscard]] bool KeepsRest(std::uint32_t m) const {
    for (; m != kNone; m = document_[m].next)
      if (!IsLeftOut(document_[m])) return false;
    return true;
  }
  bool KeepsAll(const Node& node, const Schema& schema) {
    for (std::uint32_t m = node.first; m != kNone; m = document_[m].next) {
      const Node& member = document_[m];
      if (IsLeftOut(member)) continue;
      const auto is_named = [&](const Schema::Field& f) { return Compare() && f.name == member.name; };
      if (std::none_of(schema.fields.begin(), schema.fields.end(), is_named)) return false;
    }
    return true;
  }

  const Document& document_;
  const Expansion& how_;
  std::deque<Schema> schemas_;
  bool is_text_ = false, stops_ = false;
  std::size_t comparisons_ = 0;
  std::string decoded_;
};

}  // namespace

void AppendAsDebezium(std::string_view json, const Expansion& how, std::string& to) {
  const std::size_t before = to.size();
  const auto as_text = [&] {
    to.resize(before);
    to += how.text_prefix;
    AppendJsonString(json, to);
    to += how.text_suffix;
  };
  Document document;
  if ((!json.starts_with('{') && !json.starts_with('[')) || !document.Parse(json)) return as_text();
  switch (Expander(document, how).Run(to)) {
    case Outcome::kSame:
      return;
    case Outcome::kText:
      return as_text();
    case Outcome::kStops:
      to.resize(before);
      // If a schema is requested, consumers cannot read a document that lacks its schema, so the document is written as
      // text.
      if (how.with_schema || AppendCompact(json.substr(0, document.size()), to)) as_text();
  }
}

}  // namespace outbox::record
