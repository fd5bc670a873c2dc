/* A shared library that is not a plugin: it does not export the entry point of a plugin. */
int answer(void);
__attribute__((visibility("default"))) int answer(void) { return 42; }
