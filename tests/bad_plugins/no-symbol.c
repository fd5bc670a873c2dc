/* A shared library, but no plugin. */
int answer(void);
__attribute__((visibility("default"))) int answer(void) { return 42; }
