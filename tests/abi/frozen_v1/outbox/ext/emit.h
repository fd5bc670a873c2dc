/* outbox.emit/1: inserts events, for `outbox-relay emit`, the demo and the contract tests. An application does not use
 * it, but executes the documented INSERT in its own transaction.
 *
 * Since: 1.0 */
#ifndef OUTBOX_EXT_EMIT_H
#define OUTBOX_EXT_EMIT_H
#include "../plugin.h"
#define OUTBOX_EMIT_V1 "outbox.emit/1"

/* The functions of outbox.emit/1. They are called in the order begin, insert (any number of times), end.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Begins a transaction. Thread: [session] */
  outbox_code (*begin)(outbox_session*, const outbox_call*, outbox_error*);
  /* Inserts the events in the given order, within the transaction. row_id, created_us and attempts are ignored. An
   * absent event_id gets the default of its column. `stride` is the distance between two events in bytes: the caller's
   * sizeof(outbox_event).
   *
   * Errors: OUTBOX_BAD_DATA if an event cannot be stored; the transaction must then be rolled back. Thread:
   * [session] */
  outbox_code (*insert)(outbox_session*, const outbox_event*, size_t count, size_t stride, const outbox_call*,
                        outbox_error*);
  /* Ends the transaction: commits it if `commit` is 1, and rolls it back if `commit` is 0. Thread: [session] */
  outbox_code (*end)(outbox_session*, int32_t commit, const outbox_call*, outbox_error*);
} outbox_emit_v1;
#endif
