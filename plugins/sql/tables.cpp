#include "sql/tables.hpp"

#include <algorithm>

#include "outbox/event.hpp"
#include "sql/sql_template.hpp"

namespace outbox::sql {
namespace {

// PostgreSQL cuts names at 63 bytes; the longest derived one adds "_event_id_seq" and the like.
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

Tables::Tables(const std::string& table, char quote, bool ignore_case) : quote_(quote) {
  const auto dot = table.find('.');
  event_name = dot == std::string::npos ? table : table.substr(dot + 1);
  schema = dot == std::string::npos ? "" : table.substr(0, dot);
  if (!IsName(event_name) || (dot != std::string::npos && !IsName(schema)))
    throw Error(OUTBOX_BAD_CONFIG,
                "options: 'table' must be a name or schema.name of letters, digits and _, each at most " +
                    std::to_string(kMaxName) + " long");
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
}

std::string Tables::In(std::string_view sql) const {
  return Fill(sql, {{"{event}", event},
                    {"{retry}", retry},
                    {"{dead}", dead},
                    {"{shard}", shard},
                    {"{relay}", relay},
                    {"{meta}", meta}});
}

std::string Tables::Quote(const std::string& name) const {
  const auto quoted = [this](const std::string& one) { return quote_ + one + quote_; };
  return (schema.empty() ? "" : quoted(schema) + '.') + quoted(name);
}

std::string Tables::Shown(const std::string& name) const { return (schema.empty() ? "" : schema + '.') + name; }

}  // namespace outbox::sql
