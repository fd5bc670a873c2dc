/* The position of every field in the structs of the ABI. */
#ifndef OUTBOX_TESTS_LAYOUT_H
#define OUTBOX_TESTS_LAYOUT_H
#include <stddef.h>

struct Place {
  const char* name; /* NULL marks the end of the list. */
  size_t offset, size;
};
#ifdef __cplusplus
extern "C" {
#endif
const struct Place* FrozenLayout(void);
const struct Place* TodayLayout(void);
#ifdef __cplusplus
}
#endif
#endif
