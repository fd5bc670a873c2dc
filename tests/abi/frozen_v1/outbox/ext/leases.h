/* outbox.leases/1: divides the shards of an outbox among several relays, so that each shard is delivered by one relay
 * at a time.
 *
 * A shard is a fixed share of the keys. It is leased as a whole, until a time by the database's clock. Its token grows
 * with every change of owner, so that writes of a former owner can be refused. Without this extension a relay assumes
 * that it is the only one.
 *
 * A relay takes free shards, the lowest first, up to its share: the number of shards divided by the number of live
 * relays, rounded up. If it owns more than its share, it is asked to release the surplus, the highest shards first.
 *
 * The id of a relay is NAME#INCARNATION: at most 145 bytes of printable ASCII. The incarnation is random, so the id
 * belongs to one start of one relay. Two ids are equal only if all of their bytes are equal.
 *
 * Since: 1.0 */
#ifndef OUTBOX_EXT_LEASES_H
#define OUTBOX_EXT_LEASES_H
#include "../plugin.h"
#define OUTBOX_LEASES_V1 "outbox.leases/1"

/* The values of outbox_owned_shard.state. */
enum {
  /* The relay owns the shard and keeps it. */
  OUTBOX_SHARD_OWNED = 0,
  /* The relay owns the shard, and must finish the shard's outstanding events and then release it, because another relay
   * is to own the shard. */
  OUTBOX_SHARD_RELEASE = 1
};

/* A shard that the relay owns. Frozen.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t shard;
  /* OUTBOX_SHARD_OWNED or OUTBOX_SHARD_RELEASE. */
  uint32_t state;
  /* The token of the lease. */
  uint64_t token;
} outbox_owned_shard;

/* The result of a heartbeat. The caller owns the struct and sets struct_size, owned and capacity; the plugin sets the
 * other fields.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Number of shards of the outbox: the same for all relays, at most 256. */
  uint32_t shards_total;
  /* Number of live relays. */
  uint32_t live_relays;
  /* Number of elements that the plugin has written to `owned`. */
  uint32_t owned_count;
  /* Time for which the leases of all owned shards last, in milliseconds. The relay counts it from the START of the
   * call. */
  int64_t lease_left_ms;
  /* An array of the caller, for the owned shards. */
  outbox_owned_shard* owned;
  /* Number of elements for which `owned` has room; the relay offers 256. */
  size_t capacity;
  /* Number of namesakes: live relays whose id differs from this relay's only in the part after the last '#'. Either two
   * relays were configured with one name, or the lease of a predecessor has not expired yet. The relay logs the number.
   * 0 if namesakes are not counted. */
  uint32_t namesakes;
  uint32_t reserved;
} outbox_lease;

/* The functions of outbox.leases/1.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Registers the relay, renews its leases for lease_ms milliseconds, takes free and expired shards up to its share,
   * and returns which shards the relay owns. No other call reports the owned shards. A standby, which owns no shard,
   * gets owned_count 0; that is not an error. The call must be cheap enough to be made every poll_interval: a renewal
   * writes at most one row, and a standby writes nothing, except that a standby with a namesake may register, so that
   * the namesake can count it.
   *
   * Errors: OUTBOX_UNSUPPORTED if this store, as it is configured, leases no shards; such a store must return it for
   * every heartbeat, from the first one on. The relay then delivers shard 0 for as long as it runs, beside other relays
   * if rows are marked (see reserve_new_events). Thread: [session] */
  outbox_code (*heartbeat)(outbox_session*, outbox_bytes relay_id, int64_t lease_ms, const outbox_call*, outbox_lease*,
                           outbox_error*);
  /* Releases those of the given shards whose tokens are still valid; a shard with a stale token is skipped, which is
   * not an error. If `deregister` is 1, the relay stops and must no longer be counted as live. Thread: [session] */
  outbox_code (*release_shards)(outbox_session*, outbox_bytes relay_id, const outbox_owned_shard*, size_t count,
                                uint32_t deregister, const outbox_call*, outbox_error*);
} outbox_leases_v1;
#endif
