/* outbox.testing/1: functions that the contract tests need in addition to outbox.emit/1. The daemon never uses them.
 *
 * Since: 1.0 */
#ifndef OUTBOX_EXT_TESTING_H
#define OUTBOX_EXT_TESTING_H
#include "admin.h"
#define OUTBOX_TESTING_V1 "outbox.testing/1"

/* The functions of outbox.testing/1. Thread: all functions are [session].
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Empties the outbox: afterwards it has no row, no lease and no poison mark. */
  outbox_code (*reset)(outbox_session*, const outbox_call*, outbox_error*);
  /* Lets all leases expire, as if time had passed. The marks on rows expire too, but keep their tokens. */
  outbox_code (*expire_leases)(outbox_session*, const outbox_call*, outbox_error*);
  /* Makes all retries due, as if time had passed. */
  outbox_code (*make_retries_due)(outbox_session*, const outbox_call*, outbox_error*);
  /* Returns the state of the event (an OUTBOX_STATE_... value of admin.h) and the number of its failed attempts. */
  outbox_code (*state_of)(outbox_session*, outbox_bytes event_id, const outbox_call*, int32_t* state,
                          uint32_t* attempts, outbox_error*);
} outbox_testing_v1;
#endif
