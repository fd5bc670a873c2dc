/* outbox.poison/1: poison-message detection. It identifies an event that crashes every relay that tries to send it, so
 * that the other events of its shard can go on.
 *
 * A relay that takes over a shard whose last owner did not release it starts slowly: it sends 1, 2, 4, ... events at a
 * time. Before it sends an event alone, it marks the event. If several consecutive owners have marked the same event
 * and then ended, the next owner gives the event up. Without this extension, such an event is sent again and again, and
 * crashes every relay.
 *
 * Since: 1.0 */
#ifndef OUTBOX_EXT_POISON_H
#define OUTBOX_EXT_POISON_H
#include "../plugin.h"
#define OUTBOX_POISON_V1 "outbox.poison/1"

/* The functions of outbox.poison/1. Both concern the shard call->shard and are fenced like confirm_failed.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Sets *lost to 1 if an owner of the shard let its lease expire instead of releasing the shard, and no owner since
   * then has removed the mark (see mark). Releasing the shard does not change this: the next owner starts slowly too.
   *
   * Errors: OUTBOX_LEASE_LOST if the token is stale. Thread: [session] */
  outbox_code (*was_lost)(outbox_session*, const outbox_call*, uint32_t* lost, outbox_error*);
  /* Records durably that the relay is about to send the event of the row row_id and no other event. Sets *owners to the
   * number of consecutive owners of the shard, this one included, that have marked this row and no other; an owner that
   * marks it twice counts once. With row_id NULL it removes the mark: the marked row is not to blame, and the shard no
   * longer counts as lost.
   *
   * Errors: OUTBOX_LEASE_LOST if the token is stale. Thread: [session] */
  outbox_code (*mark)(outbox_session*, const outbox_row_id* row_id, const outbox_call*, uint32_t* owners,
                      outbox_error*);
} outbox_poison_v1;
#endif
