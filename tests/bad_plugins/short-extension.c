/* The plugin loads, but the store must refuse its extension table, which is too short. */
#include "plain.h"

static const void* ShortExtension(const char* id) {
  static const struct {
    uint32_t struct_size;
    void* only;
  } table = {8, NULL};
  return strcmp(id, "outbox.leases/1") == 0 ? &table : NULL;
}
const outbox_plugin* outbox_plugin_v1(void) {
  static outbox_plugin table = PLAIN_TABLE("short-extension");
  table.get_extension = ShortExtension;
  return &table;
}
