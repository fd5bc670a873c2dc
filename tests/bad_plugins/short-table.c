#include "plain.h"

const outbox_plugin* outbox_plugin_v1(void) {
  static outbox_plugin table = PLAIN_TABLE("short-table");
  table.struct_size = offsetof(outbox_plugin, get_extension);
  return &table;
}
