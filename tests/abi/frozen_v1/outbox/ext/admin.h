/* outbox.admin/1: functions for operators. They list the events of the outbox and the dead letters, and requeue,
 * discard, retry or remove events that failed. They work while no relay runs.
 *
 * Since: 1.0 */
#ifndef OUTBOX_EXT_ADMIN_H
#define OUTBOX_EXT_ADMIN_H
#include "../plugin.h"
#define OUTBOX_ADMIN_V1 "outbox.admin/1"

/* The state of an event: the values of outbox_record.state. */
enum {
  /* The event was delivered or discarded, or never existed. */
  OUTBOX_STATE_ABSENT = 0,
  /* The event has not failed. */
  OUTBOX_STATE_WAITING = 1,
  /* The event has failed and is due again now or later. */
  OUTBOX_STATE_RETRYING = 2,
  /* The event has failed and waits for an operator, together with the later events of its key. */
  OUTBOX_STATE_BLOCKED = 3,
  /* The event is a dead letter. */
  OUTBOX_STATE_DEAD = 4,
  /* The event is undeletable: Kafka has acknowledged it, but its row could not be removed. It is never sent again. */
  OUTBOX_STATE_DELIVERED = 5
};

/* The list from which a query selects events: the values of outbox_query.from. */
enum {
  /* All rows of the outbox: waiting, retrying, blocked and undeletable events. */
  OUTBOX_FROM_OUTBOX = 0,
  /* The retrying and the blocked events of the outbox. */
  OUTBOX_FROM_FAILED = 1,
  /* The dead letters. */
  OUTBOX_FROM_DEAD = 2,
  /* The undeletable events of the outbox: they were delivered, and their rows still exist. */
  OUTBOX_FROM_DELIVERED = 3
};

/* Selects the events to list; an event must meet all conditions. The caller owns the struct, which grows at its end
 * only.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* An OUTBOX_FROM_... value. */
  uint32_t from;
  /* Only rows above this one; NULL = from the first row. */
  const outbox_row_id* after;
  /* Only rows below this one; NULL = to the last row. */
  const outbox_row_id* before;
  /* Only events with this key, compared byte by byte. Absent = events with any key, and events without a key. */
  outbox_bytes key;
  /* Only events with this event id; absent = any. */
  outbox_bytes event_id;
  /* Upper limit for the number of events; at least 1. */
  uint32_t max;
  /* 1 = return payload and headers too, 0 = leave them out. */
  uint32_t contents;
  /* Only events whose topic matches this pattern: * stands for any number of bytes, and every other byte for itself.
   * Absent = any topic. A plugin may ignore it, because the relay compares the topics itself. If it leaves out the
   * events that do not match, the relay finds a rare topic without reading all others. */
  outbox_bytes topic;
} outbox_query;

/* An event with its state. The plugin owns the struct, which is valid until the callback returns and grows at its end
 * only.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* The plugin's sizeof(outbox_event). */
  uint32_t event_size;
  const outbox_event* event;
  /* Size of the payload in bytes, even if the payload itself was not requested; -1 = the record is a tombstone. */
  int64_t payload_size;
  /* An OUTBOX_STATE_... value. */
  int32_t state;
  /* The shard of an event in the outbox. */
  uint32_t shard;
  /* The current time by the database's clock, in microseconds since 1970 UTC. */
  int64_t now_us;
  /* The time of the event's first and of its last failure, in microseconds since 1970 UTC; 0 = it has not failed, or
   * the time is unknown. */
  int64_t first_failed_us, last_failed_us;
  /* The time at which a retrying event is due again, or at which the removal of an undeletable event is tried again, in
   * microseconds since 1970 UTC; 0 = neither. */
  int64_t next_try_us;
  /* The cause of the event's last failure, as a short word (`reason`) and as a text for people (`error`). Absent = the
   * event has not failed. */
  outbox_bytes reason, error;
} outbox_record;

/* The functions of outbox.admin/1. Row ids that do not exist, or whose event is not in the state that the function
 * requires, are skipped; that is not an error. *changed is set to the number of events that were changed. Each call is
 * one transaction, except remove_delivered. Thread: all functions are [session].
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Calls found() for each event that the query selects, in ascending order of row ids, until found() returns 0 or
   * query->max is reached. Finding no event is not an error. */
  outbox_code (*list)(outbox_session*, const outbox_query*, const outbox_call*, void* ctx,
                      int32_t (*found)(void* ctx, const outbox_record*), outbox_error*);
  /* Requeues dead letters: inserts each as a new row with the same event id, behind all events of its key, and removes
   * the dead letter. */
  outbox_code (*requeue)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                         uint64_t* changed, outbox_error*);
  /* Removes dead letters for good. */
  outbox_code (*discard)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                         uint64_t* changed, outbox_error*);
  /* Removes blocked events for good. Their keys go on without them. */
  outbox_code (*discard_blocked)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                                 uint64_t* changed, outbox_error*);
  /* Makes blocked and retrying events due now, and resets their attempts to 1. They are not reset to 0, because the
   * relay must see that later events of the key may be queued behind such an event. Undeletable events are skipped. */
  outbox_code (*retry_now)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                           uint64_t* changed, outbox_error*);
  /* Tries again to remove the rows of undeletable events (OUTBOX_DELIVERED), each row independently of the others, and
   * deletes the records of events whose rows are gone. With count 0 it selects some of the events that are due for
   * removal, from all shards, and takes at most half of the call's timeout. The rows that remain are due again after
   * again_ms milliseconds. *changed is set to the number of rows that are gone. The call is not one transaction. */
  outbox_code (*remove_delivered)(outbox_session*, const outbox_row_id* row_ids, size_t count, int64_t again_ms,
                                  const outbox_call*, uint64_t* changed, outbox_error*);
} outbox_admin_v1;
#endif
