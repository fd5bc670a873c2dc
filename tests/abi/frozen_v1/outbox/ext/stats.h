/* outbox.stats/1: what `outbox-relay status` shows; works while no relay runs. */
#ifndef OUTBOX_EXT_STATS_H
#define OUTBOX_EXT_STATS_H
#include "../plugin.h"
#define OUTBOX_STATS_V1 "outbox.stats/1"

typedef struct { /* the caller's; grows at the end only */
  uint32_t struct_size;
  uint32_t backlog_exact; /* 0 = backlog is an estimate, because counting would cost too much */
  uint64_t backlog;       /* rows in the outbox, waiting and failed ones included */
  uint64_t retrying;      /* failed and due again later */
  uint64_t blocked;       /* failed for good and waiting, with their keys, for an operator */
  uint64_t dead;
  int64_t oldest_age_ms; /* of the oldest row; -1 = no row */
  uint32_t shards_total, shards_owned, live_relays;
  uint32_t reserved;
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
