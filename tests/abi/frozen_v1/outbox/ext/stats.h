/* outbox.stats/1: the numbers that `outbox-relay status` shows. They are available while no relay runs.
 *
 * Since: 1.0 */
#ifndef OUTBOX_EXT_STATS_H
#define OUTBOX_EXT_STATS_H
#include "../plugin.h"
#define OUTBOX_STATS_V1 "outbox.stats/1"

/* The precision of outbox_stats.backlog. A store may estimate the number, or stop counting and report a lower bound
 * (OUTBOX_COUNT_AT_LEAST), if counting all rows would cost too much. */
enum { OUTBOX_COUNT_ESTIMATE = 0, OUTBOX_COUNT_EXACT = 1, OUTBOX_COUNT_AT_LEAST = 2 };

/* Counts of events, shards and relays. The caller owns the struct, which grows at its end only; the plugin fills it.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* OUTBOX_COUNT_ESTIMATE, OUTBOX_COUNT_EXACT or OUTBOX_COUNT_AT_LEAST. */
  uint32_t backlog_precision;
  /* Number of rows in the outbox, including failed ones. */
  uint64_t backlog;
  /* Number of events that have failed and are due again, now or later. */
  uint64_t retrying;
  /* Number of events that have failed for good and wait for an operator. The later events of their keys wait too, but
   * are not counted here. */
  uint64_t blocked;
  /* Number of dead letters. */
  uint64_t dead;
  /* Age in milliseconds of the oldest event that waits for the relay and not for an operator: blocked events do not
   * count, nor do events that are queued behind a blocked event of their key. At least 0; -1 = there is no such event,
   * or its age is unknown. */
  int64_t oldest_age_ms;
  /* Number of shards, of shards that have an owner, and of live relays. */
  uint32_t shards_total, shards_owned, live_relays;
  uint32_t reserved;
  /* Number of undeletable events: they were delivered, but the database refuses to remove their rows. Of the numbers
   * above, only `backlog` includes them. */
  uint64_t undeletable;
} outbox_stats;

/* A shard and its owner. The plugin owns the struct, which is valid until the callback returns.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t shard;
  uint32_t reserved;
  /* The token of the last lease. */
  uint64_t token;
  /* Time until the lease expires, in milliseconds; below 0 = it has expired. */
  int64_t expires_in_ms;
  /* The owner; absent = the shard is free. */
  outbox_bytes relay_id;
} outbox_shard_holder;

/* The functions of outbox.stats/1.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Fills the counts. If holder is not NULL, calls it once for each shard, during the call. Thread: [session] */
  outbox_code (*read)(outbox_session*, const outbox_call*, outbox_stats*, void* ctx,
                      void (*holder)(void* ctx, const outbox_shard_holder*), outbox_error*);
} outbox_stats_v1;
#endif
