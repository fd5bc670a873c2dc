/* outbox.poison/1: finds the event that ends every relay which sends it, so that the rest of its shard goes on.
 *
 * A relay that gains a shard which its last owner did not give back begins with small steps. Before it sends an event
 * alone it marks it; when several owners in a row have marked the same one and ended, the relay gives the event up.
 * Without this extension such an event is sent, and ends relays, for ever. */
#ifndef OUTBOX_EXT_POISON_H
#define OUTBOX_EXT_POISON_H
#include "../plugin.h"
#define OUTBOX_POISON_V1 "outbox.poison/1"

typedef struct {
  uint32_t struct_size;
  /* [session] Both are fenced like confirm_failed.
   * *lost = 1: an owner of call->shard let its lease end instead of returning the shard, and no owner since has marked
   * NULL. Returning a shard does not change it: its next owner is asked to be as careful. */
  outbox_code (*was_lost)(outbox_session*, const outbox_call*, uint32_t* lost, outbox_error*);
  /* [session] Durably: the relay is about to send row_id alone. *owners: how many owners of the shard in a row, this one
   * among them, have marked this row and no other; the same owner counts once. row_id NULL: what was marked is not
   * to blame, the shard counts as not lost. */
  outbox_code (*mark)(outbox_session*, const outbox_row_id* row_id, const outbox_call*, uint32_t* owners,
                      outbox_error*);
} outbox_poison_v1;
#endif
