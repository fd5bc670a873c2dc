/* outbox.testing/1: what the contract tests need besides emit. Never called by the daemon. */
#ifndef OUTBOX_EXT_TESTING_H
#define OUTBOX_EXT_TESTING_H
#include "admin.h"
#define OUTBOX_TESTING_V1 "outbox.testing/1"

typedef struct {
  uint32_t struct_size;
  outbox_code (*reset)(outbox_session*, const outbox_call*,
                       outbox_error*); /* [session] no row, no lease, no suspicion */
  outbox_code (*expire_leases)(outbox_session*, const outbox_call*,
                               outbox_error*); /* [session] as if time had passed */
  outbox_code (*make_retries_due)(outbox_session*, const outbox_call*, outbox_error*); /* [session] likewise */
  outbox_code (*state_of)(outbox_session*, outbox_bytes event_id, const outbox_call*, int32_t* state,
                          uint32_t* attempts, outbox_error*); /* [session] OUTBOX_STATE_..., see dead.h */
} outbox_testing_v1;
#endif
