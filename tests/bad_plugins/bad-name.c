#include "plain.h"

static const outbox_plugin table = PLAIN_TABLE("Bad Name");
const outbox_plugin* outbox_plugin_v1(void) { return &table; }
