#include "sql/tables.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "outbox/event.hpp"

namespace outbox::sql {
namespace {

// Longest name of a table, in bytes. PostgreSQL truncates names at 63 bytes, and the longest derived name adds
// suffixes such as "_event_id_seq".
constexpr std::size_t kMaxName = 48;

bool IsName(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && name.size() <= kMaxName && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

}  // namespace

bool SameName(std::string_view a, std::string_view b, bool ignore_case) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return ignore_case ? lower(x) == lower(y) : x == y; });
}

Tables::Tables(const std::string& table, char quote, bool ignore_case,
               const std::shared_ptr<const Source>& source_table, QuoteColumn quote_column)
    : quote_(quote), quote_column_(quote_column) {
  const auto dot = table.find('.');
  event_name = dot == std::string::npos ? table : table.substr(dot + 1);
  schema = dot == std::string::npos ? "" : table.substr(0, dot);
  if (!IsName(event_name) || (dot != std::string::npos && !IsName(schema)))
    throw Error(OUTBOX_BAD_CONFIG,
                "options: 'table' must be a name or schema.name of letters, digits and _, each at most " +
                    std::to_string(kMaxName) + " characters long");
  if (source_table) {
    const std::size_t most = kMaxName - kCaptureSuffix.size();
    if (event_name.size() > most)
      throw Error(OUTBOX_BAD_CONFIG, "options: the name of 'table' is longer than " + std::to_string(most) +
                                         " characters: with 'capture' the relay's own tables, " + event_name +
                                         std::string(kCaptureSuffix) +
                                         " and so on, would have names that are too long; rename the table, or copy its"
                                         " rows into an outbox in another way");
    auto named = std::make_shared<Source>(*source_table);
    named->table = event_name;
    captured = std::move(named);
    event_name += kCaptureSuffix;
  }
  const std::string suffix = "_event";
  const bool suffixed =
      event_name.size() > suffix.size() &&
      SameName(std::string_view(event_name).substr(event_name.size() - suffix.size()), suffix, ignore_case);
  prefix = suffixed ? event_name.substr(0, event_name.size() - suffix.size()) : event_name;
  NameAll();
}

Tables Tables::Within(const std::string& schema_name) const {
  Tables tables = *this;
  tables.schema = schema_name;
  tables.NameAll();
  return tables;
}

void Tables::NameAll() {
  event = Quote(event_name);
  retry = Quote(prefix + "_retry");
  dead = Quote(prefix + "_dead");
  shard = Quote(prefix + "_shard");
  relay = Quote(prefix + "_relay");
  meta = Quote(prefix + "_meta");
  emit = Quote(prefix + "_emit");
  source = captured ? Quote(captured->table) : "";
}

std::string Tables::In(std::string_view sql) const {
  const auto copies_of = [this](std::string_view alias) {
    std::string list;
    if (!captured) return list;
    for (const std::string& copy : captured->Copies()) list.append(", ").append(alias).append(Column(copy));
    return list;
  };
  const auto filled = [&](std::string_view place) -> std::optional<std::string> {
    const std::pair<std::string_view, const std::string*> names[] = {
        {"event", &event}, {"retry", &retry}, {"dead", &dead},    {"shard", &shard},
        {"relay", &relay}, {"meta", &meta},   {"source", &source}};
    for (const auto& [name, quoted] : names)
      if (place == name) return *quoted;
    constexpr std::string_view kCopies = "copies";
    if (place == kCopies) return copies_of("");
    const std::string_view alias = place.substr(0, place.size() - std::min(place.size(), kCopies.size()));
    return alias.ends_with('.') && place.ends_with(kCopies) ? std::optional(copies_of(alias)) : std::nullopt;
  };
  std::string text;
  for (std::size_t at = 0; at < sql.size();) {
    const auto begin = std::min(sql.find('{', at), sql.size()), end = sql.find('}', begin);
    text += sql.substr(at, begin - at);
    if (begin == sql.size()) break;
    const auto with = end == std::string_view::npos ? std::nullopt : filled(sql.substr(begin + 1, end - begin - 1));
    text += with ? *with : "{";
    at = with ? end + 1 : begin + 1;
  }
  return text;
}

std::string Tables::Quote(const std::string& name) const {
  const auto quoted = [this](const std::string& one) { return quote_ + one + quote_; };
  return (schema.empty() ? "" : quoted(schema) + '.') + quoted(name);
}

std::string Tables::Column(std::string_view name) const {
  if (quote_column_ != nullptr) return quote_column_(name);
  std::string quoted(1, quote_);
  for (const char c : name) quoted.append(c == quote_ ? 2 : 1, c);
  return quoted + quote_;
}

std::string Tables::Shown(const std::string& name) const { return (schema.empty() ? "" : schema + '.') + name; }

}  // namespace outbox::sql
