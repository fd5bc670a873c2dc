/* outbox.emit/1: insert events. For `outbox-relay emit`, the demo and the contract tests; an application
 * writes the documented INSERT in its own transaction instead. */
#ifndef OUTBOX_EXT_EMIT_H
#define OUTBOX_EXT_EMIT_H
#include "../plugin.h"
#define OUTBOX_EMIT_V1 "outbox.emit/1"

typedef struct {
  uint32_t struct_size;
  outbox_code (*begin)(outbox_session*, const outbox_call*, outbox_error*); /* [session] */
  /* [session] Inserts in order. row_id, created_us and attempts are ignored; an absent event_id gets the
   * column's default. stride = the caller's sizeof(outbox_event). BAD_DATA leaves the transaction to be
   * rolled back. */
  outbox_code (*insert)(outbox_session*, const outbox_event*, size_t count, size_t stride, const outbox_call*,
                        outbox_error*);
  outbox_code (*end)(outbox_session*, int32_t commit, const outbox_call*, outbox_error*); /* [session] */
} outbox_emit_v1;
#endif
