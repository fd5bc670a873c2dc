#include "import/connector.hpp"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "import/known_settings.hpp"
#include "import/route.hpp"
#include "outbox/record_rules.hpp"

namespace outbox::debezium {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kRouter = "io.debezium.transforms.outbox.EventRouter";
constexpr std::string_view kConnect = "org.apache.kafka.connect.";
constexpr std::size_t kMaxShown = 120;

std::string Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin));
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::vector<std::string> Split(std::string_view text, char by) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(by);
    parts.push_back(Trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Returns the value in quotes, truncated for a message.
std::string Quoted(std::string_view value) {
  return '"' + std::string(value.substr(0, kMaxShown)) + (value.size() > kMaxShown ? "...\"" : "\"");
}

// Returns true if Kafka Connect reads the value from a config provider, which exists only in Kafka Connect's worker.
bool IsProvided(std::string_view value) { return value.find("${") != std::string_view::npos; }

// Returns the value with every ${ written as $${, so that the relay's configuration does not read it as a reference.
std::string Plain(std::string_view value) {
  std::string plain;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value.substr(i).starts_with("${")) plain += '$';
    plain += value[i];
  }
  return plain;
}

// Returns the value with the quotes that a connection string of libpq requires.
std::string ForLibpq(std::string_view value) {
  const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._-/:${}").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return std::string(value);
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// A header or a member of the envelope: its name and the template of its column.
struct Placed {
  std::string name, column;
};

// Translates one connector. All problems are collected, so that they are reported together.
class Translator {
 public:
  Translator(const Settings& connector, const Settings& worker) : connector_(connector.values), worker_(worker.values) {
    for (const auto* problems : {&connector.problems, &worker.problems})
      refusals_.insert(refusals_.end(), problems->begin(), problems->end());
  }

  Translation Run() {
    if (refusals_.empty()) {
      Plugin();
      Transforms();
      Table();
      Connection();
      Types();
      Columns();
      Topic();
      Converters();
      Kafka();
      Rest();
    }
    Translation translation;
    translation.notes = std::move(notes_);
    translation.refusals = std::move(refusals_);
    if (translation.refusals.empty()) translation.configuration = Write();
    return translation;
  }

 private:
  using Values = std::map<std::string, std::string>;

  void Note(const std::string& text) {
    if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
  }
  void Refuse(const std::string& name, const std::string& why) { refusals_.push_back(name + ": " + why); }

  // Returns the value of a setting and marks the setting as known. Debezium and Kafka Connect ignore whitespace around
  // a value.
  std::optional<std::string> Find(const std::string& name) {
    known_.insert(name);
    const auto found = connector_.find(name);
    return found == connector_.end() ? std::nullopt : std::optional(Trimmed(found->second));
  }
  std::string Get(const std::string& name, const std::string& otherwise) { return Find(name).value_or(otherwise); }
  bool IsTrue(const std::string& name, bool otherwise) {
    const auto value = Find(name);
    if (!value) return otherwise;
    const std::string word = Lower(*value);
    if (word != "true" && word != "false") Refuse(name, Quoted(*value) + " is not valid; expected true or false");
    return word == "true";
  }
  std::string Router(const char* name, const std::string& otherwise) { return Get(router_ + name, otherwise); }

  // Returns the value of a setting in lower case; refuses a value that is not one of `choices`.
  std::string OneOf(const std::string& name, const std::string& otherwise, std::initializer_list<const char*> choices) {
    std::string value = Lower(Get(name, otherwise));
    std::string expected;
    for (const char* choice : choices) {
      if (value == choice) return value;
      expected += (expected.empty() ? "" : ", ") + std::string(choice);
    }
    Refuse(name, Quoted(value) + " is unknown; expected one of " + expected);
    return otherwise;
  }

  void Plugin() {
    const std::string name = Get("connector.class", "");
    const std::string short_name = name.substr(name.rfind('.') + 1);
    if (name.empty()) return Refuse("connector.class", "missing; expected the configuration of a connector");
    if (name == "io.debezium.connector.postgresql.PostgresConnector" || name == "PostgresConnector")
      plugin_ = "postgres";
    else if (name == "io.debezium.connector.mysql.MySqlConnector" || short_name == "MySqlConnector" ||
             name == "io.debezium.connector.mariadb.MariaDbConnector" || short_name == "MariaDbConnector")
      plugin_ = "mysql";
    else
      Refuse("connector.class", Quoted(name) +
                                    " is not supported; expected Debezium's connector for PostgreSQL, MySQL or "
                                    "MariaDB");
  }

  // Reads the router, the transforms that follow it, and the router's predicate.
  void Transforms() {
    for (const std::string& one : Split(Get("transforms", ""), ',')) {
      if (one.empty()) continue;
      const std::string prefix = "transforms." + one + ".";
      const std::string type = Get(prefix + "type", "");
      if (type == kRouter && router_.empty()) {
        router_ = prefix;
        Predicate(prefix);
      } else if (type == kRouter) {
        Refuse(prefix + "type", "a second EventRouter; expected one");
      } else if (type == std::string(kConnect) + "transforms.DropHeaders" && !router_.empty()) {
        for (const std::string& header : Split(Get(prefix + "headers", ""), ',')) dropped_.insert(header);
        if (Find(prefix + "predicate"))
          Refuse(prefix + "predicate", "its effect depends on each record; expected no predicate here");
      } else {
        Refuse(
            prefix + "type",
            Quoted(type) +
                " changes records in a way that the import does not support; expected the EventRouter alone, or with "
                "DropHeaders after it");
        // The transform is refused, so its settings need no messages of their own.
        for (const auto& [name, unused] : connector_)
          if (name.starts_with(prefix)) known_.insert(name);
      }
    }
    if (router_.empty()) {
      Refuse("transforms", "no " + std::string(kRouter) + " in it; the relay makes only the records of this transform");
      router_ = "transforms.outbox.";
    }
  }

  // Checks that the router's predicate selects the records of the outbox table.
  void Predicate(const std::string& prefix) {
    const auto name = Find(prefix + "predicate");
    const bool negate = IsTrue(prefix + "negate", false);
    (void)Find("predicates");
    for (const auto& [key, unused] : connector_)
      if (key.starts_with("predicates.")) known_.insert(key);
    if (!name) return;
    const std::string place = "predicates." + *name + ".";
    const std::string type = Get(place + "type", ""), pattern = Get(place + "pattern", "");
    const std::string topic = Get("topic.prefix", Get("database.server.name", "")) + "." + TableName();
    const auto matches = type == std::string(kConnect) + "transforms.predicates.TopicNameMatches"
                             ? Matches(pattern, topic)
                             : std::nullopt;
    if (!matches)
      Refuse(place + "type",
             "cannot determine whether this predicate selects the table's records; expected TopicNameMatches with a "
             "pattern of letters, \\. and .*");
    else if (*matches == negate)
      Refuse(place + "pattern",
             "the predicate does not select the records of the table, whose topic is " + Quoted(topic));
  }

  // Returns true for a name that plugins/sql accepts, even with _capture appended.
  static bool IsTableName(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return !name.empty() && name.size() <= 40 && letter(name[0]) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
  }

  std::string TableName() {
    std::string list = Get("table.include.list", Get("table.whitelist", ""));
    return OnlyName(list).value_or("");
  }

  void Table() {
    const std::string list = Get("table.include.list", Get("table.whitelist", ""));
    const std::vector<std::string> names = Split(list, ',');
    if (list.empty())
      return Refuse("table.include.list", "missing; expected the name of the outbox table, such as public.outboxevent");
    if (names.size() > 1)
      return Refuse("table.include.list", Quoted(list) +
                                              " names several tables; a relay reads one, so remove the others here and "
                                              "make a configuration for each outbox table");
    const auto table = OnlyName(names[0]);
    if (!table)
      return Refuse("table.include.list", Quoted(list) + " may match several tables; expected the name of one table");
    const std::size_t dot = table->find('.');
    const bool has_two = dot != std::string::npos && table->find('.', dot + 1) == std::string::npos && dot > 0;
    if (!has_two || dot + 1 == table->size())
      return Refuse("table.include.list", Quoted(list) + " is not valid; expected " +
                                              (plugin_ == "mysql" ? "DATABASE.TABLE" : "SCHEMA.TABLE"));
    if (!IsTableName(table->substr(0, dot)) || !IsTableName(table->substr(dot + 1)))
      return Refuse(
          "table.include.list",
          Quoted(list) +
              " cannot be the base of the relay's table names; expected letters, digits and _, at most 40 of them");
    if (plugin_ == "mysql") {
      table_ = table->substr(dot + 1);
      database_ = table->substr(0, dot);
    } else {
      table_ = *table;
    }
  }

  // Returns a value for the connection, or a reference to `variable` if Kafka Connect reads the value from a config
  // provider.
  std::string Value(const std::string& name, const std::string& variable, const std::string& otherwise) {
    const auto value = Find(name);
    if (!value) return otherwise;
    if (!IsProvided(*value)) return Plain(*value);
    Note(name + ": Kafka Connect reads it from a config provider; set " + variable +
         " in the relay's environment to its value");
    return "${env:" + variable + "}";
  }
  // Returns a reference to `variable` in place of a secret, because secrets are not carried over.
  std::string Secret(const std::string& name, const std::string& variable) {
    if (!Find(name)) return "";
    Note(name + ": not carried over; set " + variable + " in the relay's environment to its value");
    return "${env:" + variable + "}";
  }

  void Connection() {
    const bool is_postgres = plugin_ == "postgres";
    const std::string host = Value("database.hostname", "OUTBOX_DATABASE_HOST", "");
    const std::string port = Value("database.port", "OUTBOX_DATABASE_PORT", "");
    const std::string user = Value("database.user", "OUTBOX_DATABASE_USER", "");
    const std::string password = Secret("database.password", "OUTBOX_DATABASE_PASSWORD");
    const auto included = Find("database.include.list");
    (void)Find("database.whitelist");
    options_ = ordered_json::object();
    if (is_postgres) {
      const std::string database = Value("database.dbname", "OUTBOX_DATABASE_NAME", "");
      std::string connection;
      for (const auto& [key, value] : {std::pair("host", host), std::pair("port", port), std::pair("dbname", database),
                                       std::pair("user", user), std::pair("password", password)})
        if (!value.empty()) connection += (connection.empty() ? "" : " ") + std::string(key) + "=" + ForLibpq(value);
      Tls(connection);
      if (host.empty()) {
        connection = "${env:OUTBOX_DATABASE}";
        Note(
            "database.hostname is missing; set OUTBOX_DATABASE in the relay's environment to a connection string of "
            "libpq, such as \"host=db dbname=shop user=outbox\"");
      }
      options_["connection"] = connection;
    } else {
      if (!host.empty()) options_["host"] = host;
      Port(port);
      options_["user"] = user.empty() ? "${env:OUTBOX_DATABASE_USER}" : user;
      if (user.empty())
        Note("database.user is missing; set OUTBOX_DATABASE_USER in the relay's environment to the user");
      if (!password.empty()) options_["password"] = password;
      options_["database"] = database_;
      if (included && OnlyName(*included) != database_ && !database_.empty() &&
          !Matches(*included, database_).value_or(false))
        Refuse("database.include.list",
               Quoted(*included) + " does not name the table's database, " + Quoted(database_));
      MysqlTls();
    }
    Note(
        "the relay's user needs privileges on the tables that `outbox-relay migrate` creates, not on the outbox table; "
        "see the guide to databases");
    options_["table"] = table_;
    options_["capture"] = "trigger";
  }

  void Port(const std::string& port) {
    if (port.empty()) return;
    const bool number =
        port.size() <= 5 && std::all_of(port.begin(), port.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (number)
      options_["port"] = std::stoi(port);
    else if (port.starts_with("${env:"))
      options_["port"] = port;
    else
      Refuse("database.port", Quoted(port) + " is not valid; expected a number");
  }

  void Tls(std::string& connection) {
    constexpr std::pair<const char*, const char*> kFiles[] = {{"database.sslmode", "sslmode"},
                                                              {"database.sslrootcert", "sslrootcert"},
                                                              {"database.sslcert", "sslcert"},
                                                              {"database.sslkey", "sslkey"}};
    for (const auto& [name, key] : kFiles)
      if (const auto value = Find(name)) connection += " " + std::string(key) + "=" + ForLibpq(Plain(*value));
    if (const std::string password = Secret("database.sslpassword", "OUTBOX_DATABASE_KEY_PASSWORD"); !password.empty())
      connection += " sslpassword=" + ForLibpq(password);
    if (Find("database.sslfactory"))
      Note("database.sslfactory: a Java class, not carried over; check that sslmode is what you want");
  }

  void MysqlTls() {
    const std::string mode = Lower(Get("database.ssl.mode", "preferred"));
    for (const auto& [name, unused] : connector_)
      if (name.starts_with("database.ssl.")) known_.insert(name);
    if (mode != "preferred" && mode != "preferred_" && mode != "disabled")
      Note("database.ssl.mode is " + Quoted(mode) +
           "; set \"tls\" and \"tls_ca\" in the options; their files are PEM, not Java key stores");
  }

  void Types() {
    types_ = ordered_json::object();
    const auto add = [&](const char* key, const std::string& value, const char* usual) {
      if (value != usual) types_[key] = value;
    };
    add("binary", OneOf("binary.handling.mode", "bytes", {"bytes", "base64", "base64-url-safe", "hex"}), "bytes");
    add("decimal", OneOf("decimal.handling.mode", "precise", {"precise", "string", "double"}), "precise");
    const char* const usual = plugin_ == "mysql" ? "adaptive_time_microseconds" : "adaptive";
    time_ = OneOf("time.precision.mode", usual, {"adaptive", "adaptive_time_microseconds", "connect", "isostring"});
    add("time", time_, usual);
    add("interval", OneOf("interval.handling.mode", "numeric", {"numeric", "string"}), "numeric");
  }

  // Returns a template of one column; refuses a name that a template cannot contain.
  std::string Template(const std::string& name, const std::string& column) {
    auto place = Place(column);
    if (!place.ok()) {
      Refuse(name, place.status().text());
      return "";
    }
    return *place;
  }

  void Columns() {
    columns_ = ordered_json::object();
    const std::string id = Router("table.field.event.id", "id");
    columns_["id"] = id;
    columns_["key"] = Router("table.field.event.key", "aggregateid");
    columns_["payload"] = Router("table.field.event.payload", "payload");
    (void)Find(router_ + "table.field.event.type");  // Debezium itself ignores this setting.
    AddHeader(router_ + "table.field.event.id", "id", id);
    if (const auto timestamp = Find(router_ + "table.field.event.timestamp"); timestamp && !timestamp->empty()) {
      timestamp_ = Template(router_ + "table.field.event.timestamp", *timestamp);
      if (time_ == "connect" || time_ == "isostring")
        Refuse(router_ + "table.field.event.timestamp",
               "Debezium fails on this setting with time.precision.mode=" + time_ + "; expected another mode");
    }
    const std::string place = router_ + "table.fields.additional.placement";
    const std::string placement = Get(place, "");
    if (!placement.empty())
      for (const std::string& one : Split(placement, ',')) Placement(place, one);
    if (Lower(Router("table.field.additional.missing", "error")) == "ignore" ||
        !IsTrue(router_ + "table.fields.additional.error.on.missing", true))
      Note(
          "Debezium leaves out a column of table.fields.additional.placement that the table lacks; `outbox-relay "
          "check` reports such a column, and you have to remove it from /record");
  }

  void Placement(const std::string& place, const std::string& text) {
    const std::vector<std::string> parts = Split(text, ':');
    if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || (parts.size() == 3 && parts[2].empty()))
      return Refuse(place, Quoted(text) + " is not valid; expected COLUMN:PLACE or COLUMN:PLACE:NAME");
    const std::string& column = parts[0];
    const std::string& name = parts.size() == 3 ? parts[2] : column;
    const std::string where = Lower(parts[1]);
    if (where == "header") {
      AddHeader(place, name, column);
    } else if (where == "envelope") {
      const bool taken = name == "payload" || std::any_of(envelope_.begin(), envelope_.end(),
                                                          [&](const Placed& placed) { return placed.name == name; });
      if (taken)
        return Refuse(place, "the envelope has " + Quoted(name) + " twice, on which Debezium fails; expected it once");
      envelope_.push_back({name, Template(place, column)});
    } else if (where == "partition") {
      if (columns_.contains("partition")) return Refuse(place, "the partition is placed twice; expected it once");
      columns_["partition"] = column;
    } else {
      Refuse(place, Quoted(parts[1]) + " is unknown; expected header, envelope or partition");
    }
  }

  void AddHeader(const std::string& place, const std::string& name, const std::string& column) {
    if (dropped_.count(name) != 0) return;
    if (const auto bad = BadRecordHeaderName(name)) return Refuse(place, *bad);
    headers_.push_back({name, Template(place, column)});
  }

  void Topic() {
    const std::string by = Router("route.by.field", "aggregatetype");
    const std::string place = router_ + "route.topic.regex";
    const std::string regex = Get(place, "(?<routedByValue>.*)");
    const auto route = ReadRoute(regex, Router("route.topic.replacement", "outbox.event.${routedByValue}"), by);
    if (!route.ok()) return Refuse(place, route.status().text());
    if (!route->pattern.empty())
      topic_ = {{"by", by},
                {"matches", Plain(route->pattern)},
                {"to", Plain(route->topic)},
                {"else", Template(router_ + "route.by.field", by)}};
    else if (route->only.empty())
      topic_ = route->topic;
    else
      topic_ = {{"by", by}, {"is", {{route->only, route->topic}}}, {"else", Template(router_ + "route.by.field", by)}};
  }

  struct Converter {
    std::string type;              // Name of the Java class; "" = unknown.
    bool schemas = true;           // The setting schemas.enable of JsonConverter.
    std::string prefix;            // Prefix of the converter's own settings.
    const Values* from = nullptr;  // The connector's or the worker's settings.
  };

  // Returns the connector's converter with the connector's settings or, if the connector names no converter, the
  // worker's converter with the worker's settings. Kafka Connect never combines a converter of one with settings of the
  // other.
  Converter FindConverter(const std::string& name, const char* otherwise) {
    Converter found;
    found.prefix = name + ".";
    for (const auto& [key, unused] : connector_)
      if (key.starts_with(found.prefix)) known_.insert(key);
    found.from = &connector_;
    auto type = Find(name);
    if (!type) {
      if (std::any_of(connector_.begin(), connector_.end(),
                      [&](const auto& one) { return one.first.starts_with(found.prefix); }))
        Note(found.prefix + "*: not used, because the connector does not set " + name +
             "; the worker's converter applies, with the worker's settings");
      found.from = &worker_;
      if (const auto at = worker_.find(name); at != worker_.end()) type = Trimmed(at->second);
    }
    if (!type && otherwise == nullptr) {
      Refuse(name, "missing, so the worker's converter applies; pass the worker's properties with --worker FILE");
      return found;
    }
    if (!type) {
      Note(name + ": missing; SimpleHeaderConverter is assumed, the default of a worker that does not set it either");
      type = otherwise;
    }
    found.type = *type;
    found.schemas = Lower(Setting(found, "schemas.enable", "true")) == "true";
    return found;
  }

  static std::string Setting(const Converter& converter, const std::string& name, const std::string& otherwise) {
    const auto at = converter.from->find(converter.prefix + name);
    return at == converter.from->end() ? otherwise : Trimmed(at->second);
  }

  // Refuses the settings of a converter that may change the records.
  void CheckSettings(const Converter& converter) {
    const bool json = converter.type == std::string(kConnect) + "json.JsonConverter";
    for (const auto& [key, value] : *converter.from) {
      if (!key.starts_with(converter.prefix)) continue;
      const std::string name = key.substr(converter.prefix.size());
      if (name == "schemas.enable" || name == "schemas.cache.size" || name == "converter.type" || name == "type" ||
          name.starts_with("delegate.converter.type"))
        continue;
      const std::string word = Lower(Trimmed(value));
      if (json && name == "decimal.format" && word == "base64") continue;
      if (json && name == "replace.null.with.default") {
        if (word == "false") Note(key + ": the relay does not write default values of columns in either case");
        continue;
      }
      if (!json && (name == "converter.encoding" || name == "encoding") && (word == "utf-8" || word == "utf8"))
        continue;
      if (converter.from == &worker_ && name != "decimal.format" && name.find("encoding") == std::string::npos)
        continue;
      Refuse(key, "it may change what the converter writes, and the import does not support it");
    }
  }

  void Converters() {
    const bool expands = IsTrue(router_ + "table.expand.json.payload", false);
    const std::string nulls =
        OneOf(router_ + "table.json.payload.null.behavior", "ignore", {"ignore", "optional_bytes"});
    const std::string adjusts = Router("field.name.adjustment.mode", "none");
    if (expands && Lower(adjusts) != "none")
      Refuse(router_ + "field.name.adjustment.mode",
             "Debezium renames members of the payload and sets them to null; expected \"none\"");
    if (Lower(Get("field.name.adjustment.mode", "none")) != "none")
      Refuse("field.name.adjustment.mode", "Debezium renames columns; expected \"none\"");
    const Converter key = FindConverter("key.converter", nullptr), value = FindConverter("value.converter", nullptr),
                    header =
                        FindConverter("header.converter", "org.apache.kafka.connect.storage.SimpleHeaderConverter");
    for (const Converter* one : {&key, &value, &header}) CheckSettings(*one);
    Key(key);
    Value(value, expands);
    Header(header);
    if (expands) {
      keeps_null_members_ = nulls == "optional_bytes";
      Note(
          "table.expand.json.payload: in lists of objects with different members, Debezium has no fixed order of "
          "members and loses some; \"value\": \"json\" sends every payload unchanged, without whitespace");
    }
    empty_is_tombstone_ = IsTrue(router_ + "route.tombstone.on.empty.payload", false);
    if (key_.ends_with("schema") || value_.ends_with("schema") || header_.ends_with("schema")) {
      Note("schemas: Debezium's schema contains the DEFAULT of a column, the relay's does not; compare a record");
      for (const char* name : {"column.propagate.source.type", "datatype.propagate.source.type"})
        if (Find(name)) Refuse(name, "it adds schema parameters that the relay does not produce");
      if (Lower(Get("schema.name.adjustment.mode", "none")) != "none")
        Refuse("schema.name.adjustment.mode", "schema name adjustment is not supported; expected \"none\"");
    }
    (void)Find("schema.name.adjustment.mode");
    if (const auto version = Find(router_ + "table.field.event.schema.version"); version && value_.ends_with("schema"))
      Refuse(router_ + "table.field.event.schema.version",
             "the record's schema would differ from row to row; remove this setting, or set the value converter's "
             "schemas.enable to false");
  }

  static bool IsJson(const std::string& type) { return type == std::string(kConnect) + "json.JsonConverter"; }
  static bool IsText(const std::string& type) { return type == std::string(kConnect) + "storage.StringConverter"; }

  void Unknown(const std::string& name, const Converter& converter) {
    if (converter.type.empty()) return;
    const bool registry = converter.type.find("Avro") != std::string::npos ||
                          converter.type.find("Protobuf") != std::string::npos ||
                          converter.type.find("JsonSchema") != std::string::npos;
    Refuse(name, Quoted(converter.type) + (registry ? " requires a schema registry, which the relay does not support"
                                                    : " is unknown, or makes records that a relay cannot make"));
  }

  void Key(const Converter& converter) {
    if (IsText(converter.type))
      key_ = "text";
    else if (IsJson(converter.type))
      key_ = converter.schemas ? "json-with-schema" : "json";
    else
      Unknown("key.converter", converter);
  }

  void Value(const Converter& converter, bool expands) {
    const bool is_bytes = converter.type == "io.debezium.converters.BinaryDataConverter" ||
                          converter.type == "io.debezium.converters.ByteBufferConverter" ||
                          converter.type == std::string(kConnect) + "converters.ByteArrayConverter";
    const std::string structure =
        expands ? router_ + "table.expand.json.payload" : router_ + "table.fields.additional.placement";
    const bool is_structure = expands || !envelope_.empty();
    if (IsText(converter.type)) {
      if (is_structure)
        return Refuse(
            structure,
            "with StringConverter the value is the text of a Java object, such as Struct{a=1}; expected JsonConverter "
            "in value.converter");
      value_ = "text";
    } else if (IsJson(converter.type)) {
      if (converter.schemas && !envelope_.empty())
        return Refuse("value.converter.schemas.enable",
                      "the schema of an envelope is named after the first event since the connector started, which is "
                      "unknown to the relay; expected false");
      value_ = std::string(expands ? "json-debezium" : "json-string") + (converter.schemas ? "-with-schema" : "");
    } else if (is_bytes) {
      if (is_structure)
        return Refuse(
            structure,
            "Debezium fails on a structure with a converter of bytes; expected JsonConverter in value.converter");
      const std::string delegate = Setting(converter, "delegate.converter.type", "");
      const bool schemas = Lower(Setting(converter, "delegate.converter.type.schemas.enable", "true")) == "true";
      if (delegate.empty())
        value_ = "bytes";
      else if (IsJson(delegate) && !schemas)
        value_ = "bytes-or-json-string";
      else
        Refuse("value.converter.delegate.converter.type", Quoted(delegate) +
                                                              " is not supported; expected JsonConverter with "
                                                              "schemas.enable=false");
    } else {
      Unknown("value.converter", converter);
    }
  }

  void Header(const Converter& converter) {
    if (converter.type == std::string(kConnect) + "storage.SimpleHeaderConverter")
      header_ = "text";
    else if (IsText(converter.type))
      header_ = "string";
    else if (IsJson(converter.type))
      header_ = converter.schemas ? "json-with-schema" : "json";
    else
      Unknown("header.converter", converter);
  }

  void Kafka() {
    kafka_ = ordered_json::object();
    const auto servers = worker_.find("bootstrap.servers");
    if (const auto own = connector_.find("producer.override.bootstrap.servers"); own != connector_.end())
      kafka_["bootstrap.servers"] = Plain(Trimmed(own->second));
    else if (servers != worker_.end())
      kafka_["bootstrap.servers"] = Plain(Trimmed(servers->second));
    if (!kafka_.contains("bootstrap.servers") || IsProvided(kafka_["bootstrap.servers"].get<std::string>())) {
      kafka_["bootstrap.servers"] = "${env:KAFKA_BOOTSTRAP_SERVERS}";
      Note(
          "bootstrap.servers: only the worker's properties contain it; set KAFKA_BOOTSTRAP_SERVERS in the relay's "
          "environment, or pass the worker's properties with --worker FILE");
    }
    // The connector's properties override those of the worker.
    Values producer;
    for (const auto& [prefix, values] :
         {std::pair("producer.", &worker_), std::pair("producer.override.", &connector_)})
      for (const auto& [name, value] : *values)
        if (name.starts_with(prefix)) {
          producer[name.substr(std::string_view(prefix).size())] = value;
          if (values == &connector_) known_.insert(name);
        }
    for (const auto& [name, value] : producer) Producer(name, Trimmed(value));
    if (!kafka_.contains("security.protocol") && worker_.count("security.protocol") != 0)
      Note("security.protocol: the worker sets it for itself and not for its producers, so it is not carried over");
  }

  void Producer(const std::string& name, const std::string& value) {
    const std::string place = "producer.override." + name;
    if (name == "bootstrap.servers") return;
    if (name == "sasl.mechanism") {
      kafka_["sasl.mechanisms"] = Plain(value);
    } else if (name == "sasl.jaas.config") {
      Login(place, value);
    } else if (name.starts_with("ssl.") && name != "ssl.endpoint.identification.algorithm") {
      Note(place +
           ": not carried over, because the relay cannot use Java's key stores and factories; set ssl.ca.location and "
           "related properties, whose files are PEM");
    } else if (name.starts_with("sasl.")) {
      const ProducerProperty* const known = FindProducerProperty(name);
      if (known == nullptr)
        Note(place +
             ": a class or setting of the Java login, not carried over; see sasl.* in the guide to the configuration");
      else
        kafka_[std::string(known->relay)] = Plain(value);
    } else if (const ProducerProperty* const known = FindProducerProperty(name)) {
      if (known->relay == "compression.level")
        Note(place + ": not carried over; set \"compression.level\" for the compression type in use");
      else if (!known->relay.empty())
        kafka_[std::string(known->relay)] = Plain(value);
    } else {
      Refuse(place,
             "an unknown setting of the Kafka client; it may change records, as partitioners, serializers and "
             "interceptors do");
    }
  }

  // Reads the user name from "org.apache.kafka.common.security.plain.PlainLoginModule required username="u"
  // password="p";".
  void Login(const std::string& place, const std::string& value) {
    const std::size_t at = value.find("username=\"");
    const std::size_t end = at == std::string::npos ? at : value.find('"', at + 10);
    if (end != std::string::npos && !IsProvided(value.substr(at + 10, end - at - 10)))
      kafka_["sasl.username"] = Plain(value.substr(at + 10, end - at - 10));
    else
      kafka_["sasl.username"] = "${env:KAFKA_USERNAME}";
    kafka_["sasl.password"] = "${env:KAFKA_PASSWORD}";
    Note(place +
         ": only the user name is carried over; set KAFKA_PASSWORD in the relay's environment, and check "
         "sasl.username");
  }

  // Checks the settings that were not read yet.
  void Rest() {
    if (Lower(Get("extended.headers.enabled", "true")) != "false")
      Note(
          "extended.headers.enabled: the four headers __debezium.context.* are not sent; the last of them changes with "
          "each start of Debezium");
    if (plugin_ == "mysql" && Lower(Get("include.schema.changes", "true")) != "false")
      Note("include.schema.changes: the records about schema changes, which have a topic of their own, are not sent");
    const std::string operations = Get("skipped.operations", "t");
    for (const std::string& one : Split(operations, ','))
      if (Lower(one) == "c") Refuse("skipped.operations", "inserts are skipped, so no event is sent; remove c");
    for (const char* name : {"tracing.span.context.field", "tracing.operation.name", "tracing.with.context.field.only"})
      if (Find(router_ + name))
        Note(router_ + name + ": Debezium adds a header only if the worker has OpenTelemetry; the relay never adds it");
    if (const auto behavior = Find(router_ + "table.op.invalid.behavior"))
      Note(router_ +
           "table.op.invalid.behavior: ignored, because the relay does not capture updates and deletes of rows");
    if (Find("snapshot.mode") == std::nullopt)
      Note(std::string("snapshot.mode: ") + std::string(FindSetting("snapshot.mode")->text));
    Note(
        "for each key, the relay sends events in the order of inserts, Debezium in the order of commits; the orders "
        "are the same if writers lock a key before they insert");
    for (const auto& [name, value] : connector_) {
      if (known_.count(name) != 0) continue;
      const KnownSetting* const known = FindSetting(name);
      if (known == nullptr) {
        Refuse(name, name.starts_with(router_) ? "unknown setting of the router, so it may change records"
                                               : "unknown setting, so it may change records; remove it if it does not");
        continue;
      }
      if (known->meaning == Meaning::kNote) Note(name + ": " + std::string(known->text));
      const bool differs = known->meaning == Meaning::kUnlessValue && Lower(Trimmed(value)) != known->value;
      if (known->meaning == Meaning::kRefused || differs) Refuse(name, std::string(known->text));
    }
  }

  static ordered_json Members(const std::vector<Placed>& placed) {
    ordered_json members = ordered_json::object();
    for (const auto& [name, column] : placed) members[name] = column;
    return members;
  }

  // Returns the headers as an object, or as a list if the same name occurs several times.
  [[nodiscard]] ordered_json Headers() const {
    ordered_json members = Members(headers_);
    if (members.size() == headers_.size()) return members;
    ordered_json list = ordered_json::array();
    for (const auto& [name, column] : headers_) list.push_back({{"name", name}, {"value", column}});
    return list;
  }

  [[nodiscard]] std::string Write() const {
    ordered_json record = {{"like", "debezium"}, {"topic", topic_}, {"key", key_}, {"value", value_}};
    if (header_ != "text") record["header"] = header_;
    if (!types_.empty()) record["types"] = types_;
    const bool json =
        key_.starts_with("json") || value_.find("json") != std::string::npos || header_.starts_with("json");
    if (json) record["null"] = "json";
    if (keeps_null_members_) record["null_members"] = "keep";
    if (empty_is_tombstone_) record["empty"] = "tombstone";
    if (!envelope_.empty()) record["envelope"] = Members(envelope_);
    record["headers"] = Headers();
    if (!timestamp_.empty()) record["timestamp"] = timestamp_;
    ordered_json options = options_;
    options["columns"] = columns_;
    const ordered_json document = {{"storage", {{"plugin", plugin_}, {"options", options}}},
                                   {"record", record},
                                   {"publisher", {{"kafka", kafka_}}}};
    return "// Made from a Debezium connector by `outbox-relay import`. Next: `outbox-relay migrate`, then "
           "`outbox-relay check`.\n" +
           document.dump(2) + "\n";
  }

  const Values &connector_, &worker_;
  std::vector<std::string> notes_, refusals_;
  std::set<std::string> known_;    // Names of settings that were read.
  std::set<std::string> dropped_;  // Names of headers that DropHeaders removes.
  std::string plugin_, router_, table_, database_, time_, key_, value_, header_ = "text", timestamp_;
  ordered_json options_, types_, columns_, topic_, kafka_;
  std::vector<Placed> headers_, envelope_;
  bool keeps_null_members_ = false, empty_is_tombstone_ = false;
};

}  // namespace

Translation Translate(const Settings& connector, const Settings& worker) { return Translator(connector, worker).Run(); }

}  // namespace outbox::debezium
