/* A plugin that needs a symbol which no library defines, like a plugin whose client library is missing. */
#include "outbox/plugin.h"

const outbox_plugin* nobody_has_this(void);
const outbox_plugin* outbox_plugin_v1(void) { return nobody_has_this(); }
