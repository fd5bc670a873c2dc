#include "sqlite/capture.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "outbox/ext/columns.h"
#include "sql/sql_template.hpp"

namespace outbox::sqlite {
namespace {

// The bytes of a blob need not be text, so a key that is a blob becomes a text of hexadecimal digits.
constexpr const char* kKey = "case typeof([c]) when 'blob' then hex([c]) else cast([c] as text) end";

constexpr const char* kShown = "case when [c] is not null then hex(outbox_shown([c])) end";

std::string Key(const sql::Tables& t, const sql::MappedColumn& column) {
  return sql::Fill(kKey, {{"[c]", "new." + t.Column(column.name)}});
}

// Returns the body of the trigger. SQLite keeps the body unchanged when the table is renamed, so the result can be
// compared with the body of an existing trigger.
std::string Body(const sql::Tables& t) {
  const sql::Source& source = *t.captured;
  const int key = source.Find(OUTBOX_ROLE_KEY), partition = source.Find(OUTBOX_ROLE_PARTITION);
  const auto column = [&](int at) { return Key(t, source.columns[static_cast<std::size_t>(at)]); };
  std::string order = key < 0 ? "null" : column(key);
  if (partition >= 0) order = "coalesce(" + column(partition) + ", " + order + ")";
  std::string columns = "topic, event_type, aggregate_id, payload",
              values = "'', '', " + order + ", new." + t.Column(source.Payload().name);
  std::vector<std::string> done;
  for (const sql::MappedColumn& one : source.columns) {
    if (one.copy.empty() || std::find(done.begin(), done.end(), one.copy) != done.end()) continue;
    done.push_back(one.copy);
    columns += ", " + t.Column(one.copy);
    values += ", new." + t.Column(one.name);
  }
  return "begin\n  -- " + source.Mark() + "\n  insert into " + t.event + " (" + columns + ") values (" + values +
         ");\nend";
}

// The captured table and its trigger, as the catalogue describes them.
struct Look {
  std::string type, sql;  // type and SQL of the captured table; "" = the table does not exist
  struct Column {
    std::string name, type;
    bool nullable = true;
  };
  std::vector<Column> columns;
  std::string trigger_table, trigger_sql;  // table and SQL of the trigger; "" = there is no trigger
};

Look LookAt(Connection& db, const sql::Tables& t) {
  Look look;
  const std::string name = t.captured->table, trigger = t.event_name;
  const sql::Rows rows = db.Run(
      {"select cast(type as text), cast(tbl_name as text), cast(sql as text) from main.sqlite_master where (type in"
       " ('table', 'view') and name = :name collate nocase) or (type = 'trigger' and name = :trigger collate nocase)",
       {name, trigger}});
  for (const sql::Row& row : rows) {
    const bool is_trigger = row[0] == "trigger";
    (is_trigger ? look.trigger_table : look.type) = row[is_trigger ? 1 : 0].value_or("");
    (is_trigger ? look.trigger_sql : look.sql) = row[2].value_or("");
  }
  for (const sql::Row& row : db.Run({"select cast(name as text), cast(type as text), cast(\"notnull\" as text) from"
                                     " pragma_table_xinfo(:name, 'main') order by cid",
                                     {name}}))
    look.columns.push_back({row[0].value_or(""), row[1].value_or(""), row[2] != "1"});
  return look;
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

sql::CaptureState StateOf(const sql::Tables& t, const Look& look) {
  sql::CaptureState state;
  state.there = !look.type.empty();
  if (look.type == "view") state.is_instead = "a view";
  if (Lower(look.sql).starts_with("create virtual")) state.is_instead = "a virtual table";
  for (const Look::Column& column : look.columns) state.columns.push_back(column.name);
  state.trigger = t.event_name;
  state.has_trigger = sql::SameName(look.trigger_table, t.captured->table, true);
  if (!state.has_trigger) state.elsewhere = look.trigger_table;
  if (look.trigger_sql.ends_with(Body(t))) state.mark = t.captured->Mark();
  return state;
}

// Returns the kind of a column, by the rules by which SQLite derives the affinity of a column from its declared type.
std::int32_t KindOf(const std::string& declared) {
  const std::string type = Lower(declared);
  const auto has = [&type](const char* part) { return type.find(part) != std::string::npos; };
  if (type.empty() || type == "any") return OUTBOX_COLUMN_OTHER;
  if (has("int")) return OUTBOX_COLUMN_INTEGER;
  if (has("char") || has("clob") || has("text")) return OUTBOX_COLUMN_TEXT;
  if (has("blob")) return OUTBOX_COLUMN_BYTES;
  if (has("real") || has("floa") || has("doub")) return OUTBOX_COLUMN_DOUBLE;
  return type == "json" ? OUTBOX_COLUMN_JSON : OUTBOX_COLUMN_OTHER;
}

// Returns the shortest text that reads back as the same number. The text is stored in `room`.
std::string_view PrintReal(double value, std::array<char, 32>& room) {
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  const char* const end = std::to_chars(room.data(), room.data() + room.size(), value).ptr;
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

// Returns, for each mapped column, the position of its copy among Source::Copies(), or -1 for the payload.
std::vector<int> PlacesOfCopies(const sql::Source& source) {
  const std::vector<std::string> copies = source.Copies();
  std::vector<int> places;
  for (const sql::MappedColumn& column : source.columns)
    places.push_back(column.copy.empty()
                         ? -1
                         : static_cast<int>(std::find(copies.begin(), copies.end(), column.copy) - copies.begin()));
  return places;
}

}  // namespace

std::vector<std::string> TriggerSql(const sql::Tables& t) {
  return {"drop trigger if exists " + t.event,
          "create trigger " + t.event + " after insert on " + t.source + " " + Body(t)};
}

std::string PlanTrigger(Connection& db, const sql::Tables& t) {
  const Look look = LookAt(db, t);
  const sql::CaptureState state = StateOf(t, look);
  if (state.has_trigger && state.mark == t.captured->Mark()) return "";
  return (look.trigger_table.empty() ? "create" : "replace") + (" trigger " + t.event_name) + " on " +
         t.captured->table;
}

std::string EndCaptureSql(const sql::Tables& t) { return "drop trigger if exists " + t.event + ";"; }

std::vector<Finding> FindCapture(Connection& db, const sql::Tables& t) {
  return sql::FindingsOf(t, StateOf(t, LookAt(db, t)), /*ignore_case=*/true);
}

void RequireColumns(Connection& db, const sql::Tables& t) {
  // A missing trigger, or one with another mapping, is no error here, because migrate creates or replaces the trigger.
  sql::CaptureState state = StateOf(t, LookAt(db, t));
  state.has_trigger = true;
  state.mark = t.captured->Mark();
  sql::RequireCapture(sql::FindingsOf(t, state, /*ignore_case=*/true), "SQLite");
}

void DescribeColumns(Connection& db, const sql::Tables& t, std::vector<outbox::Column>& columns) {
  const Look look = LookAt(db, t);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const sql::MappedColumn& mapped = t.captured->columns[i];
    const auto same = [&](const Look::Column& column) { return sql::SameName(column.name, mapped.name, true); };
    const auto found = std::find_if(look.columns.begin(), look.columns.end(), same);
    columns[i].scale = -1;
    columns[i].nullable = true;
    columns[i].kind = OUTBOX_COLUMN_OTHER;
    if (look.type.empty()) continue;
    if (found == look.columns.end()) sql::RefuseColumn(t, mapped, StateOf(t, look).columns);
    columns[i].kind = KindOf(found->type);
    columns[i].nullable = found->nullable;
    columns[i].type = found->type;
  }
}

ColumnValues::ColumnValues(const sql::Tables& t) {
  if (!t.captured) return;
  mapped_ = PlacesOfCopies(*t.captured);
  of_copies_.resize(t.captured->Copies().size());
  digits_.resize(of_copies_.size());
  values_.resize(mapped_.size());
}

std::span<const outbox_bytes> ColumnValues::At(const Prepared& row, int first) {
  for (std::size_t i = 0; i < of_copies_.size(); ++i) {
    const int at = first + static_cast<int>(i);
    of_copies_[i] = row.Type(at) == SQLITE_FLOAT ? Raw(PrintReal(row.Real(at), digits_[i])) : Raw(row.Maybe(at));
  }
  for (std::size_t i = 0; i < mapped_.size(); ++i)
    values_[i] = mapped_[i] < 0 ? Raw(Bytes()) : of_copies_[static_cast<std::size_t>(mapped_[i])];
  return values_;
}

void ListColumns(Connection& db, const sql::Tables& t, sql::Dialect& dialect) {
  // Real numbers are converted by PrintReal(), because the text to which SQLite itself converts a real number may read
  // back as a neighbouring number.
  const auto show = [](sqlite3_context* context, int, sqlite3_value** values) {
    if (sqlite3_value_type(values[0]) != SQLITE_FLOAT) return sqlite3_result_value(context, values[0]);
    std::array<char, 32> room{};
    const std::string_view text = PrintReal(sqlite3_value_double(values[0]), room);
    sqlite3_result_text(context, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  };
  sqlite3_create_function(db.raw(), "outbox_shown", 1, SQLITE_UTF8, nullptr, show, nullptr, nullptr);
  for (const sql::MappedColumn& column : t.captured->columns)
    dialect.columns.push_back(column.copy.empty() ? "null"
                                                  : sql::Fill(kShown, {{"[c]", "e." + t.Column(column.copy)}}));
}

}  // namespace outbox::sqlite
