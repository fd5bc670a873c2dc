/* outbox.testing/1: what the contract tests need besides emit. Never called by the daemon. */
#ifndef OUTBOX_EXT_TESTING_H
#define OUTBOX_EXT_TESTING_H
#include "admin.h"
#define OUTBOX_TESTING_V1 "outbox.testing/1"

typedef struct {
  uint32_t struct_size;
  outbox_code (*reset)(outbox_session*, const outbox_call*,
                       outbox_error*); /* [session] no row, no lease, no suspicion */
  /* [session] As if time had passed. Marks on rows end as well, and their tokens stay. */
  outbox_code (*expire_leases)(outbox_session*, const outbox_call*, outbox_error*);
  outbox_code (*make_retries_due)(outbox_session*, const outbox_call*, outbox_error*); /* [session] likewise */
  outbox_code (*state_of)(outbox_session*, outbox_bytes event_id, const outbox_call*, int32_t* state,
                          uint32_t* attempts, outbox_error*); /* [session] OUTBOX_STATE_..., see admin.h */
} outbox_testing_v1;
#endif
