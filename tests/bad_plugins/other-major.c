/* A plugin for a future major version of the ABI. */
const void* outbox_plugin_v2(void);
__attribute__((visibility("default"))) const void* outbox_plugin_v2(void) { return 0; }
