/* Not a sin: the C plugin that the others vary, which must load and work. */
#include "plain.h"

static const outbox_plugin table = PLAIN_TABLE("plain-c");
const outbox_plugin* outbox_plugin_v1(void) { return &table; }
