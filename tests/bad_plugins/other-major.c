/* A plugin for an ABI to come. */
const void* outbox_plugin_v2(void);
__attribute__((visibility("default"))) const void* outbox_plugin_v2(void) { return 0; }
