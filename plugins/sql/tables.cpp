#include "sql/tables.hpp"

#include <algorithm>

#include "outbox/event.hpp"
#include "sql/fill.hpp"

namespace outbox::sql {
namespace {

// PostgreSQL cuts names at 63 bytes; the longest derived one adds "_event_id_seq" and the like.
constexpr std::size_t kLongestName = 48;

bool IsName(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && name.size() <= kLongestName && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

}  // namespace

Tables::Tables(const std::string& table, char quote) : quote_(quote) {
  const auto dot = table.find('.');
  event_name = dot == std::string::npos ? table : table.substr(dot + 1);
  schema = dot == std::string::npos ? "" : table.substr(0, dot);
  if (!IsName(event_name) || (dot != std::string::npos && !IsName(schema)))
    throw Error(OUTBOX_BAD_CONFIG,
                "options: 'table' must be a name or schema.name of letters, digits and _, each at most " +
                    std::to_string(kLongestName) + " long");
  const std::string suffix = "_event";
  const bool suffixed = event_name.size() > suffix.size() && event_name.ends_with(suffix);
  prefix = suffixed ? event_name.substr(0, event_name.size() - suffix.size()) : event_name;
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

}  // namespace outbox::sql
