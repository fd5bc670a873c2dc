/* outbox.leases/1: one relay at a time works on a shard, several relays share the shards.
 *
 * A shard is a share of the keys, leased as a whole by the database's clock. Its token grows with every
 * change of owner, so that a stale owner's writes can be refused. Without this extension the relay
 * believes to be alone.
 *
 * A relay_id is unique to one start of one relay: NAME#INCARNATION, where the incarnation is random. At most
 * 145 bytes, printable ASCII. Two ids are two relays unless all of their bytes are equal. */
#ifndef OUTBOX_EXT_LEASES_H
#define OUTBOX_EXT_LEASES_H
#include "../plugin.h"
#define OUTBOX_LEASES_V1 "outbox.leases/1"

enum {
  OUTBOX_SHARD_OWNED = 0,
  OUTBOX_SHARD_RELEASE = 1 /* finish what is outstanding, then release it: another relay is to have it */
};

typedef struct { /* frozen */
  uint32_t shard;
  uint32_t state;
  uint64_t token;
} outbox_owned_shard;

typedef struct { /* the caller's: it sets struct_size, owned and capacity */
  uint32_t struct_size;
  uint32_t shards_total; /* same for every relay of one outbox, <= 256 */
  uint32_t live_relays;
  uint32_t owned_count;
  int64_t lease_left_ms; /* of every owned shard; counted by the relay from the START of the call */
  outbox_owned_shard* owned;
  size_t capacity; /* the relay offers 256 */
  /* Live relays whose id is equal to this one's but for what stands behind its last '#': two relays were
   * configured with one name, or a predecessor's lease has not ended yet. For the log; 0 where not counted. */
  uint32_t namesakes;
  uint32_t reserved;
} outbox_lease;

typedef struct {
  uint32_t struct_size;
  /* [session] Joins, renews, takes free and expired shards up to a fair share and tells what this relay
   * now owns: the only truth about it. A standby that gets nothing sees owned_count 0. Cheap enough for
   * every poll_interval: a renewal writes at most one row, a standby's look none, unless it has a namesake:
   * then it may register too, so that the namesake can count it.
   *
   * UNSUPPORTED, to the first heartbeat of a relay and to every later one: this store, as it is configured, leases no
   * shards. The relay then works on shard 0 for ever, beside others if rows are marked (reserve_new_events). */
  outbox_code (*heartbeat)(outbox_session*, outbox_bytes relay_id, int64_t lease_ms, const outbox_call*, outbox_lease*,
                           outbox_error*);
  /* [session] Gives back the named shards whose token still holds; stale ones are passed over.
   * deregister = 1: this relay stops, forget it. */
  outbox_code (*release_shards)(outbox_session*, outbox_bytes relay_id, const outbox_owned_shard*, size_t count,
                                uint32_t deregister, const outbox_call*, outbox_error*);
} outbox_leases_v1;
#endif
