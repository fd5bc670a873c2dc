/* Needs a symbol that no library defines, as a plugin does whose client library is missing. */
#include "outbox/plugin.h"

const outbox_plugin* nobody_has_this(void);
const outbox_plugin* outbox_plugin_v1(void) { return nobody_has_this(); }
