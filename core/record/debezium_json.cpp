#include "record/debezium_json.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "record/column_text.hpp"
#include "record/compact_json.hpp"
#include "record/java_number.hpp"
#include "record/json_document.hpp"

namespace outbox::record {
namespace {

// Limit for the number of comparisons of names and shapes in a document. A document that needs more comparisons is
// treated like a document that stops the connector.
constexpr std::size_t kMaxComparisons = 1'000'000;
constexpr std::string_view kRoot = "payload";  // Name of the derived schema.

using Kind = JsonNode::Kind;
using Node = JsonNode;
constexpr std::uint32_t kNone = JsonNode::kNone;

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
  Expander(const JsonDocument& document, const Expansion& how) : document_(document), how_(how) {}

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
    if (a.IsNumber() && b.IsNumber()) return TypeOf(a.kind) == TypeOf(b.kind);
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
    if (!DecodeJsonString(node.text, decoded_)) return false;
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

  const JsonDocument& document_;
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
  JsonDocument document;
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
