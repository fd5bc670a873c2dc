#include "sql/source.hpp"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "outbox/event.hpp"
#include "outbox/ext/columns.h"
#include "sql/tables.hpp"

namespace outbox::sql {
namespace {

using nlohmann::json;

struct Role {
  const char* name;
  std::int32_t role;
};
// The roles in the order of outbox_event.columns.
constexpr std::array kRoles{Role{"id", OUTBOX_ROLE_ID}, Role{"key", OUTBOX_ROLE_KEY},
                            Role{"payload", OUTBOX_ROLE_PAYLOAD}, Role{"partition", OUTBOX_ROLE_PARTITION},
                            Role{"created_at", OUTBOX_ROLE_CREATED}};

// The columns of an outbox and of its dead letters. No copy has one of these names, not even in another case, no
// matter how the database compares names.
constexpr std::array kTaken{"id",         "event_id", "topic",    "aggregate_id", "event_type", "payload", "headers",
                            "created_at", "row_id",   "attempts", "first_failed", "died_at",    "reason",  "error"};

[[noreturn]] void Refuse(const std::string& text) { throw Error(OUTBOX_BAD_CONFIG, "options: " + text); }

std::string NameIn(const json& value, const std::string& option) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty())
    Refuse(option + " must be the name of a column");
  const auto& name = value.get_ref<const std::string&>();
  if (name.find('\0') != std::string::npos) Refuse(option + " holds a NUL character");
  return name;
}

void CheckRoles(const json& columns) {
  if (!columns.is_object()) Refuse("'columns' must be an object that maps roles to names of columns");
  for (const auto& [key, value] : columns.items()) {
    const auto same = [&key = key](const Role& role) { return key == role.name; };
    if (std::none_of(kRoles.begin(), kRoles.end(), same))
      Refuse("'columns' has the unknown role '" + key + "'; valid here: id, key, payload, partition, created_at");
  }
  if (!columns.contains("payload")) Refuse("'columns' has no column for the role 'payload'");
}

void ReadColumns(const json& options, bool ignore_case, std::vector<MappedColumn>& columns) {
  const auto given = options.find("columns");
  if (given == options.end()) Refuse("'columns' is required with 'capture'");
  CheckRoles(*given);
  for (const Role& role : kRoles)
    if (const auto named = given->find(role.name); named != given->end())
      columns.push_back({NameIn(*named, "'columns': '" + std::string(role.name) + "'"), role.role, "",
                         "/storage/options/columns/" + std::string(role.name)});
  const auto record = options.find("record_columns");
  if (record == options.end()) return;
  if (!record->is_array()) Refuse("'record_columns' must be a list of names of columns");
  for (std::size_t i = 0; i < record->size(); ++i) {
    std::string name = NameIn((*record)[i], "'record_columns'");
    const auto same = [&](const MappedColumn& other) { return SameName(other.name, name, ignore_case); };
    if (std::none_of(columns.begin(), columns.end(), same))
      columns.push_back({std::move(name), OUTBOX_ROLE_NONE, "", "/record, or /storage/options/record_columns"});
  }
}

// Gives each copy a name, in the order of the list. No two names differ only in case, so every database accepts them.
void NameCopies(std::vector<MappedColumn>& columns, bool ignore_case) {
  std::vector<std::string> taken(kTaken.begin(), kTaken.end());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    MappedColumn& column = columns[i];
    if (column.role == OUTBOX_ROLE_PAYLOAD) continue;
    const auto end = columns.begin() + static_cast<std::ptrdiff_t>(i);
    const auto same = [&](const MappedColumn& other) {
      return !other.copy.empty() && SameName(other.name, column.name, ignore_case);
    };
    if (const auto before = std::find_if(columns.begin(), end, same); before != end) {
      column.copy = before->copy;
      continue;
    }
    const auto is_taken = [&](const std::string& name) {
      return std::any_of(taken.begin(), taken.end(),
                         [&](const std::string& other) { return SameName(other, name, true); });
    };
    column.copy = column.name;
    if (is_taken(column.copy)) column.copy = "source_" + column.name;
    while (is_taken(column.copy)) column.copy += '_';
    taken.push_back(column.copy);
  }
}

std::string Hashed(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016" PRIx64, hash);
  return digits.data();
}

}  // namespace

std::vector<std::string> Source::Copies() const {
  std::vector<std::string> copies;
  for (const MappedColumn& column : columns)
    if (!column.copy.empty() && std::find(copies.begin(), copies.end(), column.copy) == copies.end())
      copies.push_back(column.copy);
  return copies;
}

int Source::Find(std::int32_t role) const {
  const auto has = [role](const MappedColumn& column) { return column.role == role; };
  const auto found = std::find_if(columns.begin(), columns.end(), has);
  return found == columns.end() ? -1 : static_cast<int>(found - columns.begin());
}

const MappedColumn& Source::Payload() const { return columns.at(static_cast<std::size_t>(Find(OUTBOX_ROLE_PAYLOAD))); }

std::string Source::Mark() const {
  json mapping = json::array({table});
  for (const MappedColumn& column : columns) {
    // Only the roles key, payload and partition change what the trigger does. The relay alone uses the other roles.
    const bool matters =
        column.role == OUTBOX_ROLE_KEY || column.role == OUTBOX_ROLE_PAYLOAD || column.role == OUTBOX_ROLE_PARTITION;
    mapping.push_back({column.name, column.copy, matters ? column.role : OUTBOX_ROLE_NONE});
  }
  return "outbox-relay capture " + std::to_string(kCaptureVersion) + " " + Hashed(mapping.dump());
}

bool IsSourceOption(std::string_view key) { return key == "capture" || key == "columns" || key == "record_columns"; }

std::shared_ptr<const Source> ReadSource(const std::string& text, bool ignore_case) {
  const json options = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!options.is_object()) Refuse("expected a JSON object");
  const auto capture = options.find("capture");
  if (capture == options.end()) {
    for (const char* key : {"columns", "record_columns"})
      if (options.contains(key)) Refuse("'" + std::string(key) + "' is for \"capture\": \"trigger\" only");
    return nullptr;
  }
  if (*capture != "trigger") Refuse("'capture' must be \"trigger\"; leave it out if the table itself is the outbox");
  if (!options.contains("table")) Refuse("'capture' needs 'table', the name of the table to capture");
  auto source = std::make_shared<Source>();
  ReadColumns(options, ignore_case, source->columns);
  NameCopies(source->columns, ignore_case);
  return source;
}

}  // namespace outbox::sql
