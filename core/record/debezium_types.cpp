#include "record/debezium_types.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace outbox::record {
namespace {

using config::Types;

// Returns the type in lower case without the part in parentheses: "time without time zone" for "time(3) without time
// zone".
std::string NameOf(const Column& column) {
  std::string name;
  bool inside = false;
  for (const char c : column.type) {
    if (c == '(') inside = true;
    if (!inside) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (c == ')') inside = false;
  }
  while (!name.empty() && name.back() == ' ') name.pop_back();
  return name;
}

// Returns the first number in parentheses, such as 3 for "time(3)".
std::optional<int> Argument(const Column& column) {
  const std::size_t open = column.type.find('(');
  if (open == std::string::npos) return std::nullopt;
  int number = 0;
  const char* const begin = column.type.data() + open + 1;
  if (std::from_chars(begin, column.type.data() + column.type.size(), number).ec != std::errc()) return std::nullopt;
  return number;
}

bool IsOneOf(const std::string& name, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* one) { return name == one; });
}

// Returns true for types that Debezium writes with the same text as the database.
bool IsItsOwnText(const std::string& name) {
  return IsOneOf(name, {"uuid", "inet", "cidr", "macaddr", "macaddr8", "xml", "citext", "year", "enum", "set"});
}

TextForm TimeForm(const Column& column, const std::string& name, Types::Time mode) {
  if (mode == Types::Time::kConnect) return TextForm::kTimeOfMillis;
  if (mode == Types::Time::kIso) return TextForm::kTimeIso;
  // Debezium's connector for MySQL writes only microseconds.
  const bool short_fraction = name == "time without time zone" && Argument(column).value_or(6) <= 3;
  return short_fraction && mode == Types::Time::kAdaptive ? TextForm::kTimeMillis : TextForm::kTimeMicros;
}

std::optional<TextForm> ListForm(const std::string& element) {
  if (IsOneOf(element, {"text", "character varying", "uuid"})) return TextForm::kTexts;
  if (IsOneOf(element, {"smallint", "integer", "bigint"})) return TextForm::kNumbers;
  return std::nullopt;
}

std::optional<TextForm> TextFormOf(const Column& column, const Types& types) {
  const std::string name = NameOf(column);
  if (name == "time with time zone") return TextForm::kTimeTz;
  if (name == "time" || name == "time without time zone") return TimeForm(column, name, types.time);
  if (name.starts_with("interval"))
    return types.interval == Types::Interval::kString ? TextForm::kIntervalIso : TextForm::kInterval;
  if (name == "money" && types.decimal == Types::Decimal::kPrecise) return TextForm::kMoney;
  if (name == "money") return types.decimal == Types::Decimal::kDouble ? TextForm::kMoneyDouble : TextForm::kMoneyText;
  if (name == "bit") return Argument(column).value_or(1) == 1 ? TextForm::kBit : TextForm::kBits;
  if (name == "bit varying") return TextForm::kBits;
  if (name == "point") return TextForm::kPoint;
  if (name.ends_with("[]")) return ListForm(name.substr(0, name.size() - 2));
  return std::nullopt;
}

Form BinaryForm(Types::Binary mode) {
  switch (mode) {
    case Types::Binary::kBase64:
      return Form::kBase64;
    case Types::Binary::kBase64Url:
      return Form::kBase64Url;
    case Types::Binary::kHex:
      return Form::kHex;
    default:
      return Form::kOfKind;
  }
}

Form FormOf(const Column& column, const Types& types) {
  switch (column.kind) {
    case OUTBOX_COLUMN_BYTES:
      return BinaryForm(types.binary);
    case OUTBOX_COLUMN_JSON:
      return types.json_of_binlog ? Form::kBinlogJson : Form::kOfKind;
    case OUTBOX_COLUMN_INTEGER:
      if (NameOf(column) == "bit") return Form::kBits;
      return NameOf(column) == "bigint unsigned" ? Form::kSigned : Form::kOfKind;
    case OUTBOX_COLUMN_DECIMAL:
      if (types.decimal == Types::Decimal::kPrecise) return Form::kOfKind;
      return types.decimal == Types::Decimal::kString ? Form::kDecimalText : Form::kDecimalDouble;
    case OUTBOX_COLUMN_TIMESTAMP:
    case OUTBOX_COLUMN_DATE:
      if (types.time == Types::Time::kConnect) return Form::kConnectTime;
      return types.time == Types::Time::kIso ? Form::kIsoTime : Form::kOfKind;
    default:
      return Form::kOfKind;
  }
}

// The parts of a schema, except for the flag that says whether it is optional.
struct Shape {
  std::string type, name, parameters;  // `parameters` is JSON.
};

std::optional<Shape> TextShape(const std::string& name) {
  if (name == "uuid") return Shape{"string", "io.debezium.data.Uuid", ""};
  if (name == "xml") return Shape{"string", "io.debezium.data.Xml", ""};
  if (IsOneOf(name, {"text", "character varying", "character", "varchar", "char", "bpchar", "tinytext", "mediumtext",
                     "longtext"}))
    return Shape{"string", "", ""};
  return std::nullopt;
}

std::optional<Shape> IntegerShape(const std::string& name) {
  if (IsOneOf(name, {"smallint", "tinyint", "tinyint unsigned"})) return Shape{"int16", "", ""};
  if (IsOneOf(name, {"integer", "int", "mediumint", "mediumint unsigned", "smallint unsigned"}))
    return Shape{"int32", "", ""};
  if (IsOneOf(name, {"bigint", "bigint unsigned", "int unsigned"})) return Shape{"int64", "", ""};
  return std::nullopt;
}

std::optional<Shape> DecimalShape(const Column& column, Types::Decimal mode) {
  if (mode == Types::Decimal::kString) return Shape{"string", "", ""};
  if (mode == Types::Decimal::kDouble) return Shape{"double", "", ""};
  const auto precision = Argument(column);
  if (column.scale < 0 || !precision) return std::nullopt;
  return Shape{"bytes", "org.apache.kafka.connect.data.Decimal",
               "{\"scale\":\"" + std::to_string(column.scale) + "\",\"connect.decimal.precision\":\"" +
                   std::to_string(*precision) + "\"}"};
}

Shape TimestampShape(const Column& column, Types::Time mode) {
  if (mode == Types::Time::kConnect) return {"int64", "org.apache.kafka.connect.data.Timestamp", ""};
  if (mode == Types::Time::kIso) return {"string", "io.debezium.time.IsoTimestamp", ""};
  const bool millis = column.scale >= 0 && column.scale <= 3;
  return {"int64", millis ? "io.debezium.time.Timestamp" : "io.debezium.time.MicroTimestamp", ""};
}

Shape DateShape(Types::Time mode) {
  if (mode == Types::Time::kConnect) return {"int32", "org.apache.kafka.connect.data.Date", ""};
  if (mode == Types::Time::kIso) return {"string", "io.debezium.time.IsoDate", ""};
  return {"int32", "io.debezium.time.Date", ""};
}

std::optional<Shape> ShapeOf(const Column& column, const Types& types) {
  switch (column.kind) {
    case OUTBOX_COLUMN_TEXT:
      return TextShape(NameOf(column));
    case OUTBOX_COLUMN_JSON:
      return Shape{"string", "io.debezium.data.Json", ""};
    case OUTBOX_COLUMN_INTEGER:
      return IntegerShape(NameOf(column));
    case OUTBOX_COLUMN_BOOLEAN:
      return Shape{"boolean", "", ""};
    case OUTBOX_COLUMN_DOUBLE:
      return Shape{"double", "", ""};
    case OUTBOX_COLUMN_FLOAT:
      return Shape{"float", "", ""};
    case OUTBOX_COLUMN_BYTES:
      return Shape{types.binary == Types::Binary::kBytes ? "bytes" : "string", "", ""};
    case OUTBOX_COLUMN_DECIMAL:
      return DecimalShape(column, types.decimal);
    case OUTBOX_COLUMN_TIMESTAMP:
      return TimestampShape(column, types.time);
    case OUTBOX_COLUMN_INSTANT:
      return Shape{"string", "io.debezium.time.ZonedTimestamp", ""};
    case OUTBOX_COLUMN_DATE:
      return DateShape(types.time);
    default:
      return TextShape(NameOf(column));
  }
}

}  // namespace

std::optional<ColumnType> DebeziumType(const Column& column, const config::Types& types) {
  ColumnType type{column.kind, column.scale, FormOf(column, types), {}};
  if (type.form == Form::kBits) type.scale = std::min(Argument(column).value_or(1), 64);
  if (column.kind != OUTBOX_COLUMN_OTHER || IsItsOwnText(NameOf(column))) return type;
  const auto text = TextFormOf(column, types);
  if (!text) return std::nullopt;
  type.form = Form::kDatabaseText;
  type.text = *text;
  return type;
}

std::optional<std::string> ConnectSchema(const Column& column, const config::Types& types) {
  const auto shape = ShapeOf(column, types);
  if (!shape) return std::nullopt;
  std::string schema = "{\"type\":\"" + shape->type + "\",\"optional\":" + (column.nullable ? "true" : "false");
  if (!shape->name.empty()) schema += ",\"name\":\"" + shape->name + "\",\"version\":1";
  if (!shape->parameters.empty()) schema += ",\"parameters\":" + shape->parameters;
  return schema + '}';
}

bool IsJavaObject(const ColumnType& type) {
  if (type.form == Form::kConnectTime || type.form == Form::kBits) return true;
  if (type.form == Form::kDatabaseText)
    return type.text == TextForm::kTimeOfMillis || type.text == TextForm::kBits || type.text == TextForm::kPoint ||
           type.text == TextForm::kTexts || type.text == TextForm::kNumbers;
  if (type.form != Form::kOfKind) return false;
  return type.kind == OUTBOX_COLUMN_BYTES || (type.kind == OUTBOX_COLUMN_DECIMAL && type.scale < 0);
}

}  // namespace outbox::record
