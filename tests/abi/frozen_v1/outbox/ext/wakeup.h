/* outbox.wakeup/1: a hint that new rows may have been committed. Polling stays the truth. */
#ifndef OUTBOX_EXT_WAKEUP_H
#define OUTBOX_EXT_WAKEUP_H
#include "../plugin.h"
#define OUTBOX_WAKEUP_V1 "outbox.wakeup/1"

typedef struct {
  uint32_t struct_size;
  /* [session] On a session of its own. OK = look now, TIMEOUT = nothing seen, CANCELLED = cancel() came.
   * A wake-up that arrives between two calls must end the next one at once. */
  outbox_code (*wait)(outbox_session*, const outbox_call*, outbox_error*);
} outbox_wakeup_v1;
#endif
