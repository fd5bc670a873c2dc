/* The C plugin of plain.h, unchanged. It conforms to the contract, so it must load and work. */
#include "plain.h"

static const outbox_plugin table = PLAIN_TABLE("plain-c");
const outbox_plugin* outbox_plugin_v1(void) { return &table; }
