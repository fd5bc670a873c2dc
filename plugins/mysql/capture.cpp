#include "mysql/capture.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

#include "mysql/errors.hpp"
#include "outbox/ext/columns.h"
#include "sql/sql_template.hpp"

namespace outbox::mysql {
namespace {

// The sql_mode with which the trigger is created, so that its effect does not depend on the session that creates it. In
// this mode, a value that would be truncated is an error. Zero dates and dates that do not exist are copied as text.
constexpr std::string_view kMode = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION";

// Condition that compares table names exactly: some tables of the catalogue ignore case when they compare names,
// although the server distinguishes tables by the case of their names.
constexpr const char* kExact =
    " and (@@global.lower_case_table_names > 0 or cast(table_name as binary) in (cast([source] as binary),"
    " cast([event] as binary)))";
// The body of a procedure is a single statement, because clients accept a body of several statements only with another
// delimiter.
constexpr const char* kShow = R"(
select 'table' as what, table_type as name, engine as a, null as b, null as c, null as d, 0 as e, 0 as place,
  current_user() as f
from information_schema.tables where table_schema = [schema] and table_name = [source][exact]
union all select case when table_name = [source] then 'column' else 'copy' end, column_name, data_type, column_type,
  character_set_name, is_nullable, coalesce(datetime_precision, numeric_scale, -1), ordinal_position, column_comment
from information_schema.columns where table_schema = [schema] and table_name in ([source], [event])[exact]
union all select 'trigger', event_object_table, action_statement, sql_mode, definer,
  concat(action_timing, ' ', event_manipulation), 0, 0, current_user()
from information_schema.triggers where trigger_schema = [schema] and trigger_name = [event])";
constexpr const char* kTry = "insert into {event} (topic, event_type) select '', '' from dual where 1 = 0";

constexpr unsigned kNoProcedure = 1305, kNoRight = 1370, kNoDefiner = 1449;

std::string In(const sql::Tables& t, std::string_view sql) {
  return t.In(sql::Fill(sql, {{"[exact]", kExact},
                              {"[schema]", t.schema.empty() ? "database()" : "'" + t.schema + "'"},
                              {"[source]", "'" + t.captured->table + "'"},
                              {"[event]", "'" + t.event_name + "'"},
                              {"[show]", t.Quote(t.event_name + kShowSuffix)},
                              {"[try]", t.Quote(t.event_name + kTrySuffix)},
                              {"[trigger]", t.Quote(t.event_name)},
                              {"[procedure]", "sql security definer"}}));
}

bool IsOneOf(const std::string& text, std::initializer_list<std::string_view> some) {
  return std::find(some.begin(), some.end(), text) != some.end();
}

// Returns true if the bytes of texts in this character set are UTF-8.
bool IsUtf8(const std::string& character_set) {
  return IsOneOf(character_set, {"utf8mb4", "utf8mb3", "utf8", "ascii"});
}
// Returns true if every text in this character set can be converted to UTF-8. In other character sets, some bytes may
// stand for no character, and texts with such bytes cannot be converted.
bool ConvertsAlways(const std::string& character_set) {
  return IsUtf8(character_set) || IsOneOf(character_set, {"latin1", "utf16", "utf16le", "utf32"});
}

std::string AsText(const std::string& value) { return "convert(" + value + " using utf8mb4)"; }

struct Kind {
  std::string_view data_type;
  std::int32_t kind;
  std::string_view value;  // SQL expression for the value as text; [c] is the column
};
// A number is copied as the result of a computation with the column, because the text of the column itself may have
// leading zeros. The text of a float is rounded and the text of a double is not, so a float is converted to a double.
// The unix_timestamp() of a zero timestamp is 0, or NULL on MariaDB.
constexpr std::array kKinds{
    Kind{"tinyint", OUTBOX_COLUMN_INTEGER, "[c] + 0"},
    Kind{"smallint", OUTBOX_COLUMN_INTEGER, "[c] + 0"},
    Kind{"mediumint", OUTBOX_COLUMN_INTEGER, "[c] + 0"},
    Kind{"int", OUTBOX_COLUMN_INTEGER, "[c] + 0"},
    Kind{"bigint", OUTBOX_COLUMN_INTEGER, "[c] + 0"},
    Kind{"year", OUTBOX_COLUMN_INTEGER, "[c] + 0"},
    Kind{"bit", OUTBOX_COLUMN_INTEGER, "[c] + 0"},
    Kind{"decimal", OUTBOX_COLUMN_DECIMAL, "[c] + 0"},
    Kind{"float", OUTBOX_COLUMN_FLOAT, "[c] * 1e0"},
    Kind{"double", OUTBOX_COLUMN_DOUBLE, "[c] * 1e0"},
    Kind{"date", OUTBOX_COLUMN_DATE, "[c]"},
    Kind{"datetime", OUTBOX_COLUMN_TIMESTAMP, "[c]"},
    Kind{"timestamp", OUTBOX_COLUMN_INSTANT,
         "if([c] is null, null, if(coalesce(unix_timestamp([c]), 0) = 0, '0000-00-00 00:00:00', "
         "date_add('1970-01-01 00:00:00', interval unix_timestamp([c]) second)))"},
    Kind{"time", OUTBOX_COLUMN_OTHER, "[c]"},
    Kind{"json", OUTBOX_COLUMN_JSON, "[c]"},
    Kind{"char", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"varchar", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"tinytext", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"text", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"mediumtext", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"longtext", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"enum", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"set", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"uuid", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"inet4", OUTBOX_COLUMN_TEXT, "[c]"},
    Kind{"inet6", OUTBOX_COLUMN_TEXT, "[c]"},
};

// Returns the comment of a copy. The comment describes the captured column, for use while the captured table cannot be
// seen.
std::string Comment(const SourceLook::Column& column) {
  const bool plain = column.type.size() < 100 && column.type.find_first_of("'\\") == std::string::npos;
  return "copy of " + column.data_type + " " + (column.nullable ? "null" : "filled") + " " +
         std::to_string(column.scale) + " " + (column.character_set.empty() ? "-" : column.character_set) + " " +
         (plain ? column.type : column.data_type);
}

// Returns how a column is copied; `quoted` is its name in quotes. For a type that is not in kKinds, such as a blob, a
// geometry or a vector, the bytes that the server stores are copied.
MappedType TypeOf(const SourceLook::Column& column, const std::string& quoted) {
  MappedType type;
  type.found = true;
  type.type = column.type;
  type.comment = Comment(column);
  type.nullable = column.nullable;
  const std::string c = "new." + quoted;
  const auto known =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& one) { return one.data_type == column.data_type; });
  const bool bytes = known == kKinds.end() || (known->kind == OUTBOX_COLUMN_TEXT && column.character_set == "binary");
  if (bytes) {
    type.kind = OUTBOX_COLUMN_BYTES;
    type.copy = "longblob";
    type.value = type.payload = c;
    type.key = AsText("if(octet_length(" + c + ") <= 65535, hex(" + c + "), sha2(" + c + ", 512))");
    return type;
  }
  type.kind = known->kind;
  type.copy = "longtext";
  type.value = type.payload = sql::Fill(known->value, {{"[c]", c}});
  if (column.type == "bit(1)") {
    type.kind = OUTBOX_COLUMN_BOOLEAN;
    type.value = type.payload = "if(" + c + " is null, null, if(" + c + ", 'true', 'false'))";
  }
  if (known->kind == OUTBOX_COLUMN_DECIMAL || known->kind == OUTBOX_COLUMN_TIMESTAMP ||
      known->kind == OUTBOX_COLUMN_INSTANT)
    type.scale = column.scale;
  type.key = AsText(type.value);
  if (known->kind != OUTBOX_COLUMN_TEXT || column.character_set.empty()) return type;
  if (!ConvertsAlways(column.character_set)) {
    type.copy += " character set " + column.character_set;
    // Every byte is a character of latin1, so this conversion never fails.
    type.key = AsText("convert(cast(" + c + " as binary) using latin1)");
  } else if (!IsUtf8(column.character_set)) {
    type.payload = AsText(c);
  }
  return type;
}

MappedType TypeOfCopy(const SourceLook::Column& column, const std::string& quoted) {
  std::istringstream words(column.comment);
  SourceLook::Column source;
  std::string copy, of, null;
  if (words >> copy >> of >> source.data_type >> null >> source.scale >> source.character_set >> source.type &&
      copy + of == "copyof") {
    std::string rest;
    std::getline(words, rest);
    source.type += rest;
    source.nullable = null != "filled";
    if (source.character_set == "-") source.character_set.clear();
    return TypeOf(source, quoted);
  }
  MappedType type;
  type.found = true;
  type.type = column.type;
  type.kind = column.data_type == "longblob" ? OUTBOX_COLUMN_BYTES : OUTBOX_COLUMN_TEXT;
  return type;
}

const SourceLook::Column* Find(const std::vector<SourceLook::Column>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const SourceLook::Column& column) {
    return sql::SameName(column.name, name, true);
  });
  return found == columns.end() ? nullptr : &*found;
}

// Returns the type of the outbox's payload column: bytes, except for text that cannot always be converted to UTF-8.
std::string PayloadType(const MappedType& type) { return type.copy == "longtext" ? "longblob" : type.copy; }

std::string Commented(const std::string& type, const MappedType& of) { return type + " comment '" + of.comment + "'"; }

std::vector<std::string> Names(const SourceLook& look) {
  std::vector<std::string> names;
  for (const SourceLook::Column& column : look.columns) names.push_back(column.name);
  return names;
}

std::string Body(const sql::Tables& t, const std::vector<MappedType>& types) {
  const sql::Source& source = *t.captured;
  const auto type = [&](std::int32_t role) -> const MappedType* {
    const int at = source.Find(role);
    return at < 0 ? nullptr : &types.at(static_cast<std::size_t>(at));
  };
  const MappedType *key = type(OUTBOX_ROLE_KEY), *partition = type(OUTBOX_ROLE_PARTITION);
  std::string order = key != nullptr ? key->key : "null";
  if (partition != nullptr) order = "coalesce(" + partition->key + ", " + order + ")";
  // The mark of the mapping (Source::Mark) is part of an expression and not of a comment, because clients may remove
  // comments.
  std::string columns = "topic, event_type, aggregate_id, payload",
              values = "left('" + source.Mark() + "', 0), '', " + order + ", " + type(OUTBOX_ROLE_PAYLOAD)->payload;
  std::vector<std::string> done;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string& copy = source.columns[i].copy;
    if (copy.empty() || std::find(done.begin(), done.end(), copy) != done.end()) continue;
    done.push_back(copy);
    columns += ", " + t.Column(copy);
    values += ", " + types[i].value;
  }
  return "insert into " + t.event + " (" + columns + ") values (" + values + ")";
}

// Adds a finding for each mapped column whose copy does not have the type that the captured column needs now.
void FindWrongTypes(const sql::Tables& t, const SourceLook& look, const std::vector<MappedType>& types,
                    std::vector<Finding>& findings) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    const sql::MappedColumn& column = t.captured->columns[i];
    const std::string copy = column.copy.empty() ? "payload" : column.copy;
    const std::string expected = column.copy.empty() ? PayloadType(types[i]) : types[i].copy;
    const SourceLook::Column* const is = Find(look.copies, copy);
    if (is == nullptr || !types[i].found) continue;
    std::string type = is->data_type;
    const std::string other_set = " character set " + is->character_set;
    if (expected.ends_with(other_set) || (type == "longtext" && is->character_set != "utf8mb4")) type += other_set;
    if (type == expected) continue;
    const std::string change = " modify column " + t.Column(copy) + " " + Commented(expected, types[i]) + ";";
    findings.push_back(
        {true,
         "column " + t.Shown(t.event_name) + "." + copy + " is " + type + ", expected " + expected +
             ": the type of column \"" + column.name + "\" of " + t.Shown(t.captured->table) +
             " has changed since its copies were created",
         "alter table " + t.event + change + " alter table " + t.dead + change + " -- then " + sql::kMigrate});
  }
}

std::string Instead(const SourceLook& look) {
  if (!look.there || IsOneOf(look.table_type, {"BASE TABLE", "SYSTEM VERSIONED"})) return "";
  return look.table_type.find("VIEW") != std::string::npos ? "a view" : "no table";
}

sql::CaptureState StateOf(const Client& client, const sql::Tables& t, const SourceLook& look) {
  sql::CaptureState state;
  state.there = look.there;
  state.is_instead = Instead(look);
  state.columns = Names(look);
  state.trigger = t.event_name;
  const bool here = look.trigger && sql::SameName(look.trigger->table, t.captured->table, client.server().ignores_case);
  state.has_trigger = here;
  if (look.trigger && !here) state.elsewhere = t.Shown(look.trigger->table);
  const std::vector<MappedType> types = TypesOf(t, look);
  if (here && IsRight(client, t, look, types)) state.mark = t.captured->Mark();
  FindWrongTypes(t, look, types, state.others);
  const std::string source = t.Shown(t.captured->table);
  if (here && look.trigger->definer != look.owner && !look.unavailable)
    state.others.push_back({true,
                            "trigger " + state.trigger + " belongs to " + look.trigger->definer +
                                ", but its procedures belong to " + look.owner,
                            sql::kMigrate});
  if (look.there && look.engine != "InnoDB" && state.is_instead.empty())
    state.others.push_back({false,
                            "table " + source + " uses the storage engine " + look.engine +
                                ", which has no transactions: a row may stay there although its copy was rolled back",
                            "alter table " + t.source + " engine = InnoDB;"});
  return state;
}

Finding Unseen(const sql::Tables& t, const SourceLook& look) {
  const std::string show = t.Quote(t.event_name + kShowSuffix);
  if (static_cast<unsigned>(look.unavailable->native_code) == kNoProcedure)
    return {true,
            "procedure " + show + ", which shows whether the trigger on " + t.Shown(t.captured->table) +
                " is in place, is missing",
            sql::kMigrate};
  return {true,
          "the relay's user lacks the privilege to call procedure " + show + ", which shows whether the trigger on " +
              t.Shown(t.captured->table) + " is in place: " + look.why,
          In(t,
             "grant execute on procedure [show] to <the relay's user>; grant execute on procedure [try] to <the"
             " relay's user>;")};
}

bool CannotBeCalled(const Error& error) {
  const auto number = static_cast<unsigned>(error.native_code);
  return number == kNoProcedure || IsDenied(number);
}

}  // namespace

namespace {

SourceLook LookOf(sql::Rows rows) {
  SourceLook look;
  std::sort(rows.begin(), rows.end(), [](const sql::Row& a, const sql::Row& b) {
    const auto place = [](const sql::Row& row) {
      const bool column = row[0] == "column" || row[0] == "copy";
      return column ? sql::ToNumber(row.at(7)) : 0;
    };
    return place(a) < place(b);
  });
  for (const sql::Row& row : rows) {
    const auto text = [&row](std::size_t i) { return row.at(i).value_or(""); };
    if (text(0) == "table") {
      look.there = true;
      look.table_type = text(1);
      look.engine = text(2);
      look.owner = text(8);
    } else if (text(0) == "trigger") {
      look.trigger = {text(1), text(2), text(3), text(4), text(5)};
      look.owner = text(8);
    } else {
      (text(0) == "column" ? look.columns : look.copies)
          .push_back({text(1), text(2), text(3), text(4), text(5) != "NO",
                      static_cast<std::int32_t>(sql::ToNumber(row[6])), text(8)});
    }
  }
  return look;
}

}  // namespace

SourceLook LookAtSource(Client& client, const sql::Tables& t) {
  try {
    return LookOf(client.Run({In(t, "call [show] ()"), {}}));
  } catch (const Error& error) {
    if (!CannotBeCalled(error)) throw;
    const std::string why = client.failure();
    SourceLook look = LookDirectly(client, t);
    look.unavailable = error;
    look.why = why;
    return look;
  }
}

SourceLook LookDirectly(Client& client, const sql::Tables& t) { return LookOf(client.Run({In(t, kShow), {}})); }

std::vector<MappedType> TypesOf(const sql::Tables& t, const SourceLook& look) {
  std::vector<MappedType> types;
  for (const sql::MappedColumn& column : t.captured->columns) {
    MappedType& type = types.emplace_back();
    if (const auto* const is = Find(look.columns, column.name))
      type = TypeOf(*is, t.Column(column.name));
    else if (const auto* const copy = Find(look.copies, column.copy.empty() ? "payload" : column.copy);
             copy != nullptr && !look.there)
      type = TypeOfCopy(*copy, t.Column(column.name));
  }
  return types;
}

std::vector<MappedType> RequireTypes(const sql::Tables& t, const SourceLook& look) {
  if (!look.there)
    throw Error(OUTBOX_BAD_CONFIG, "table " + t.Shown(t.captured->table) +
                                       ", whose inserted rows are to be sent, is missing, or this user has no privilege"
                                       " on it; correct 'table' of /storage/options, or run this command as a user with"
                                       " the privilege TRIGGER on it");
  sql::CaptureState state;
  state.there = true;
  state.is_instead = Instead(look);
  if (!state.is_instead.empty()) sql::RequireCapture(sql::FindingsOf(t, state, true), "MySQL");
  std::vector<MappedType> types = TypesOf(t, look);
  for (std::size_t i = 0; i < types.size(); ++i)
    if (!types[i].found) sql::RefuseColumn(t, t.captured->columns[i], Names(look));
  return types;
}

std::vector<std::string> ReadColumns(const sql::Tables& t, const std::vector<MappedType>& types) {
  std::vector<std::string> columns;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const sql::MappedColumn& column = t.captured->columns[i];
    if (column.copy.empty()) {
      columns.emplace_back("null");
      continue;
    }
    const std::string is = "e." + t.Column(column.copy);
    std::string read = is;
    if (types[i].kind == OUTBOX_COLUMN_DATE) read = "datediff(" + is + ", '1970-01-01')";
    if (types[i].kind == OUTBOX_COLUMN_TIMESTAMP || types[i].kind == OUTBOX_COLUMN_INSTANT)
      read = "timestampdiff(microsecond, '1970-01-01', " + is + ")";
    // As in Debezium, a zero date becomes NULL, or 1970 if the column accepts no NULL.
    if (read != is && !types[i].nullable) read = "if(" + is + " is null, null, coalesce(" + read + ", 0))";
    columns.push_back(read);
  }
  return columns;
}

std::string Written(const MappedType& type, const std::string& value) {
  if (type.kind != OUTBOX_COLUMN_FLOAT) return value;
  double exact = 0;
  std::from_chars(value.data(), value.data() + value.size(), exact);
  std::array<char, 32> digits{};
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<float>(exact)).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

void AddCaptured(std::vector<sql::Table>& wanted, const sql::Tables& t, const std::vector<MappedType>& types) {
  // The column aggregate_id must hold keys of any length.
  sql::ColumnOf(wanted[sql::kEvent], "aggregate_id").type = "longtext";
  const auto& columns = t.captured->columns;
  const MappedType& payload = types.at(static_cast<std::size_t>(t.captured->Find(OUTBOX_ROLE_PAYLOAD)));
  if (payload.found && !payload.copy.empty())
    for (const auto which : {sql::kEvent, sql::kDead})
      sql::ColumnOf(wanted[which], "payload").type = Commented(PayloadType(payload), payload);
  sql::AddCopies(wanted, t, [&](const std::string& copy) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i].copy == copy && types.at(i).found) return Commented(types[i].copy, types[i]);
    return std::string();
  });
}

std::string Quoted(const std::string& text) {
  if (text.find('\\') == std::string::npos) return "'" + sql::Fill(text, {{"'", "''"}}) + "'";
  constexpr char kDigits[] = "0123456789abcdef";
  std::string literal = "_utf8mb4 x'";
  for (const char c : text) {
    literal += kDigits[static_cast<unsigned char>(c) >> 4U];
    literal += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return literal + "'";
}

std::vector<Procedure> Procedures(const sql::Tables& t) {
  return {
      {t.event_name + kShowSuffix, In(t, std::string("create procedure [show] () reads sql data [procedure]") + kShow)},
      {t.event_name + kTrySuffix,
       In(t, std::string("create procedure [try] () modifies sql data [procedure] ") + kTry)}};
}

std::string CreateTrigger(const sql::Tables& t, const std::vector<MappedType>& types) {
  return In(t, "create trigger [trigger] after insert on {source} for each row ") + Body(t, types);
}

std::string ReplaceTrigger(const sql::Tables& t, const SourceLook& look, const std::vector<MappedType>& types) {
  // The trigger may be on a table that was renamed after the trigger was created. A lock of the captured table does not
  // lock the renamed table, so the trigger is dropped from the renamed table before the captured table is locked.
  const bool elsewhere = look.trigger && !sql::SameName(look.trigger->table, t.captured->table, false);
  return In(t, (elsewhere ? "drop trigger if exists [trigger];\n" : "") +
                   std::string("lock tables {source} write;\ndrop trigger if exists [trigger];\n")) +
         CreateTrigger(t, types) + ";\nunlock tables";
}

bool IsRight(const Client& client, const sql::Tables& t, const SourceLook& look, const std::vector<MappedType>& types) {
  if (!look.trigger || std::any_of(types.begin(), types.end(), [](const MappedType& type) { return !type.found; }))
    return false;
  const SourceLook::Trigger& is = *look.trigger;
  // If the statement that created the trigger was sent together with others, MySQL has kept the semicolon at its end.
  const std::string statement = is.statement.substr(0, is.statement.find_last_not_of("; \n") + 1),
                    body = Body(t, types);
  // MySQL shows names that contain backquotes incorrectly. If there is such a name, only the mark is compared.
  const bool same = statement == body || (body.find("``") != std::string::npos &&
                                          statement.find("'" + t.captured->Mark() + "'") != std::string::npos);
  return sql::SameName(is.table, t.captured->table, client.server().ignores_case) && same && is.sql_mode == kMode &&
         is.event == "AFTER INSERT";
}

std::string EndCaptureSql(const sql::Tables& t) {
  return In(t, "drop trigger if exists [trigger]; drop procedure if exists [show]; drop procedure if exists [try];");
}

std::vector<Finding> FindCapture(Client& client, const sql::Tables& t) {
  try {
    const SourceLook look = LookAtSource(client, t);
    // The relay's user sees less in the catalogue than the procedure would return, so a trigger that seems to be
    // missing may exist.
    if (look.unavailable && !look.trigger) return {Unseen(t, look)};
    std::vector<Finding> findings = sql::FindingsOf(t, StateOf(client, t, look), /*ignore_case=*/true);
    if (look.unavailable && static_cast<unsigned>(look.unavailable->native_code) == kNoProcedure) {
      findings.push_back(Unseen(t, look));
      findings.back().error = false;
    }
    return findings;
  } catch (const Error& error) {
    if (static_cast<unsigned>(error.native_code) != kNoDefiner) throw;
    return {{true,
             "trigger " + t.event_name + " on table " + t.Shown(t.captured->table) +
                 " runs as a user that does not exist, and every insert there is refused: " + error.what(),
             sql::kMigrate}};
  }
}

std::vector<Finding> FindOwnerRights(Client& client, const sql::Tables& t) {
  try {
    (void)client.Run({In(t, "call [try] ()"), {}});
    return {};
  } catch (const Error& error) {
    const auto number = static_cast<unsigned>(error.native_code);
    if (number == kNoProcedure || number == kNoRight) return {};
    if (!IsDenied(number) && number != kNoDefiner) throw;
    return {{true,
             "the user who owns trigger " + t.event_name + " lacks the privilege to insert into " + t.event +
                 ", so every insert into " + t.Shown(t.captured->table) + " is refused: " + client.failure(),
             "grant that user INSERT on " + t.event + ", or as another user " + sql::kMigrate}};
  }
}

}  // namespace outbox::mysql
