/* Conforming: the C plugin of plain.h, unchanged, which must load and work. */
#include "plain.h"

static const outbox_plugin table = PLAIN_TABLE("plain-c");
const outbox_plugin* outbox_plugin_v1(void) { return &table; }
