/* outbox.stats/1: what `outbox-relay status` shows; works while no relay runs. */
#ifndef OUTBOX_EXT_STATS_H
#define OUTBOX_EXT_STATS_H
#include "../plugin.h"
#define OUTBOX_STATS_V1 "outbox.stats/1"

/* What the number in outbox_stats.backlog is. A storage estimates, or stops counting, where counting would cost too much. */
enum { OUTBOX_COUNT_ESTIMATE = 0, OUTBOX_COUNT_EXACT = 1, OUTBOX_COUNT_AT_LEAST = 2 };

typedef struct { /* the caller's; grows at the end only */
  uint32_t struct_size;
  uint32_t backlog_precision; /* OUTBOX_COUNT_ESTIMATE, OUTBOX_COUNT_EXACT or OUTBOX_COUNT_AT_LEAST */
  uint64_t backlog;           /* rows in the outbox, waiting and failed ones included */
  uint64_t retrying;          /* failed and due again later */
  uint64_t blocked;           /* failed for good and waiting, with their keys, for an operator */
  uint64_t dead;
  /* Age in milliseconds of the oldest event that nothing but the relay holds up: blocked events, and those queued behind a
   * blocked event of their key, do not count. At least 0; -1 = there is no such event, or its age is not known. */
  int64_t oldest_age_ms;
  uint32_t shards_total, shards_owned, live_relays;
  uint32_t reserved;
  uint64_t undeletable; /* delivered, and the database does not let the row go; none of the above but backlog */
} outbox_stats;

typedef struct { /* one leased shard */
  uint32_t shard;
  uint32_t reserved;
  uint64_t token;
  int64_t expires_in_ms; /* < 0 = has expired */
  outbox_bytes relay_id; /* absent = free */
} outbox_shard_holder;

typedef struct {
  uint32_t struct_size;
  /* [session] holder may be NULL; else one callback a shard, during the call. */
  outbox_code (*read)(outbox_session*, const outbox_call*, outbox_stats*, void* ctx,
                      void (*holder)(void* ctx, const outbox_shard_holder*), outbox_error*);
} outbox_stats_v1;
#endif
