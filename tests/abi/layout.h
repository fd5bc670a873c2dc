/* Where everything lies in the structs of the boundary. */
#ifndef OUTBOX_TESTS_LAYOUT_H
#define OUTBOX_TESTS_LAYOUT_H
#include <stddef.h>

struct Place {
  const char* name; /* NULL = the end */
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
