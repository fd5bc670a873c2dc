/* outbox.admin/1: what became of events, and what an operator does about those that failed. Works while no
 * relay runs. */
#ifndef OUTBOX_EXT_ADMIN_H
#define OUTBOX_EXT_ADMIN_H
#include "../plugin.h"
#define OUTBOX_ADMIN_V1 "outbox.admin/1"

enum {
  OUTBOX_STATE_ABSENT = 0, /* delivered, discarded or never there */
  OUTBOX_STATE_WAITING = 1,
  OUTBOX_STATE_RETRYING = 2,
  OUTBOX_STATE_BLOCKED = 3,
  OUTBOX_STATE_DEAD = 4,
  OUTBOX_STATE_DELIVERED = 5 /* Kafka has it, and its row could not be removed: never sent again */
};

enum {
  OUTBOX_FROM_OUTBOX = 0,   /* each row of the outbox: waiting, retrying, blocked and undeletable events */
  OUTBOX_FROM_FAILED = 1,   /* of these the retrying and the blocked ones */
  OUTBOX_FROM_DEAD = 2,     /* the dead letters */
  OUTBOX_FROM_DELIVERED = 3 /* of the first the undeletable ones: delivered, and still there */
};

typedef struct { /* the caller's; grows at the end only */
  uint32_t struct_size;
  uint32_t from;
  const outbox_row_id* after;  /* excluded; NULL = from the first row */
  const outbox_row_id* before; /* excluded; NULL = to the last row */
  outbox_bytes key;            /* absent = any and none; equal by every byte */
  outbox_bytes event_id;       /* absent = any */
  uint32_t max;                /* >= 1 */
  uint32_t contents;           /* 1 = with payload and headers, 0 = without */
  /* A pattern in which * stands for any bytes, each other byte for itself; absent = any topic. Events whose topic does
   * not match may be left out, so that a rare topic is found without reading all others; the relay compares again. */
  outbox_bytes topic;
} outbox_query;

typedef struct { /* the plugin's, for the time of the callback; grows at the end only */
  uint32_t struct_size;
  uint32_t event_size; /* the plugin's sizeof(outbox_event) */
  const outbox_event* event;
  int64_t payload_size; /* also where the payload is not asked for; -1 = tombstone */
  int32_t state;
  uint32_t shard; /* of an event in the outbox */
  /* Microseconds since 1970 UTC, 0 = none or unknown. */
  int64_t now_us; /* the database's clock */
  int64_t first_failed_us, last_failed_us;
  int64_t next_try_us;        /* of a retrying event; of an undeletable one, when its removal is tried again */
  outbox_bytes reason, error; /* absent = has not failed */
} outbox_record;

/* All of these are [session]. Row ids that are not there (any more), or not in the state that a function is
 * about, are passed over; changed tells how many were not. Each call is one transaction. */
typedef struct {
  uint32_t struct_size;
  /* Ascending by row id. found() is called during the call and answers 0 = enough. */
  outbox_code (*list)(outbox_session*, const outbox_query*, const outbox_call*, void* ctx,
                      int32_t (*found)(void* ctx, const outbox_record*), outbox_error*);
  /* Dead: a new row with the same event id, at the end of its key; the dead one goes. */
  outbox_code (*requeue)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                         uint64_t* changed, outbox_error*);
  /* Dead: gone for good. */
  outbox_code (*discard)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                         uint64_t* changed, outbox_error*);
  /* Blocked: gone for good, and its key goes on without it. */
  outbox_code (*discard_blocked)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                                 uint64_t* changed, outbox_error*);
  /* Blocked or retrying, not delivered: due now, with one attempt. Not with none: the relay must know that its key may wait. */
  outbox_code (*retry_now)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                           uint64_t* changed, outbox_error*);
  /* Delivered and not removable (OUTBOX_DELIVERED): tries to remove them once more, each for itself, and forgets those
   * whose row is gone. count 0 = some of those that are due, of all shards, for at most half of the call's time. What stays
   * is due again after again_ms. changed tells how many are gone. Not one transaction. */
  outbox_code (*remove_delivered)(outbox_session*, const outbox_row_id* row_ids, size_t count, int64_t again_ms,
                                  const outbox_call*, uint64_t* changed, outbox_error*);
} outbox_admin_v1;
#endif
