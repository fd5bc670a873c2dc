/* outbox.dead/1: events that were given up, for an operator. */
#ifndef OUTBOX_EXT_DEAD_H
#define OUTBOX_EXT_DEAD_H
#include "../plugin.h"
#define OUTBOX_DEAD_V1 "outbox.dead/1"

typedef struct {
  uint32_t struct_size;
  /* [session] Ascending by row id, from after (absent = the first). Released like any batch. */
  outbox_code (*list)(outbox_session*, outbox_bytes after, uint32_t max, const outbox_call*, outbox_batch*,
                      outbox_error*);
  /* [session] A new row with the same event id, at the end of its key; the dead one goes, in one transaction.
   * Ids that are not there (any more) are passed over; changed tells how many moved. */
  outbox_code (*requeue)(outbox_session*, const outbox_bytes* row_ids, size_t count, const outbox_call*,
                         uint64_t* changed, outbox_error*);
  outbox_code (*discard)(outbox_session*, const outbox_bytes* row_ids, size_t count, const outbox_call*,
                         uint64_t* changed, outbox_error*); /* [session] */
} outbox_dead_v1;
#endif
