#include "storage/table.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "outbox/ext/columns.h"
#include "outbox/ext/schema.h"
#include "util/plugin_name.hpp"

namespace outbox::storage {
namespace {

Status Broken(std::string rule) { return {OUTBOX_BAD_CONFIG, std::move(rule)}; }

// Returns the size of the part of an extension's table in which no function may be NULL, in bytes. The last functions
// of two extensions are optional.
std::size_t RequiredSize(std::string_view id, std::size_t size) {
  if (id == OUTBOX_SCHEMA_V1) return offsetof(outbox_schema_v1, plan);
  if (id == OUTBOX_COLUMNS_V1) return offsetof(outbox_columns_v1, verify);
  return size;
}

}  // namespace

Status CheckTable(const outbox_plugin* table) {
  if (table == nullptr) return Broken("outbox_plugin_v1 returned NULL instead of a table");
  if (table->struct_size < sizeof(outbox_plugin))
    return Broken("its table is too short: struct_size is " + std::to_string(table->struct_size) +
                  "; expected at least " + std::to_string(sizeof(outbox_plugin)) + " (ABI 1)");
  if (table->name == nullptr || table->version == nullptr) return Broken("name or version is NULL in its table");
  if (!util::IsPluginName(table->name)) return Broken("the name in its table is not of the form [a-z0-9_-]+");

  const struct {
    const char* name;
    bool filled;
  } required[] = {
      {"open", table->open != nullptr},
      {"close", table->close != nullptr},
      {"connect", table->connect != nullptr},
      {"disconnect", table->disconnect != nullptr},
      {"reserve_new_events", table->reserve_new_events != nullptr},
      {"confirm_event", table->confirm_event != nullptr},
      {"confirm_failed", table->confirm_failed != nullptr},
      {"get_extension", table->get_extension != nullptr},
  };
  for (const auto& slot : required)
    if (!slot.filled) return Broken(std::string(slot.name) + " is NULL in its table");
  return {};
}

Result<const void*> FindExtension(const outbox_plugin& plugin, const char* id, std::size_t size) {
  const void* const table = plugin.get_extension(id);
  if (table == nullptr) return table;
  std::uint32_t its_size = 0;
  std::memcpy(&its_size, table, sizeof its_size);
  if (its_size < size)
    return Broken("the table of " + std::string(id) + " is too short: struct_size is " + std::to_string(its_size) +
                  "; expected at least " + std::to_string(size) + " (version 1)");
  for (std::size_t at = sizeof(void*); at < RequiredSize(id, size); at += sizeof(void*)) {
    const void* slot = nullptr;
    std::memcpy(&slot, static_cast<const char*>(table) + at, sizeof slot);
    if (slot == nullptr) return Broken("the table of " + std::string(id) + " holds a NULL function");
  }
  return table;
}

}  // namespace outbox::storage
