/* outbox.schema/1: print, check and make the tables. */
#ifndef OUTBOX_EXT_SCHEMA_H
#define OUTBOX_EXT_SCHEMA_H
#include "../plugin.h"
#define OUTBOX_SCHEMA_V1 "outbox.schema/1"

enum {
  OUTBOX_FINDING_WARNING = 0,
  OUTBOX_FINDING_ERROR = 1,
  OUTBOX_FINDING_NOTE = 2 /* nothing is wrong: what was found, or what this user cannot look at */
};

typedef struct {
  uint32_t struct_size;
  uint32_t shards;      /* 0 = keep what is there, 1 for a new outbox */
  outbox_bytes payload; /* column type: "text", "bytea", "jsonb"; absent = the default */
  uint32_t wake_up;     /* 1 = what outbox.wakeup/1 needs is to be there, 0 = it is not */
  /* 1 = payloads of events that are stored already may be converted; 0 = a change that needs it is refused
   * with OUTBOX_BAD_CONFIG and changes nothing. */
  uint32_t rewrite_events;
  /* 1 = what copies the rows of a table of the application's is taken away, and nothing else changes: the tables stay, with what
   * is in them. OUTBOX_BAD_CONFIG where nothing is captured. */
  uint32_t remove_capture;
} outbox_schema_options;

typedef struct {
  uint32_t struct_size;
  /* [store] The statements that make or upgrade the schema, as SQL text; no connection. The callback runs
   * on the caller's thread, during the call. */
  outbox_code (*print)(outbox_store*, const outbox_schema_options*, void* ctx,
                       void (*text)(void* ctx, outbox_bytes sql), outbox_error*);
  /* [session] Makes what is missing; a second call changes nothing. A table that others use is locked for moments
   * only: the call tries again for its locks, and answers OUTBOX_TIMEOUT if it does not get them. */
  outbox_code (*apply)(outbox_session*, const outbox_schema_options*, const outbox_call*, outbox_error*);
  /* [session] Looks at tables, columns, version, sequence, grants and what others have added, and changes nothing. One
   * callback a finding: its OUTBOX_FINDING_ code, what is wrong, and the SQL or sentence that fixes it (may be empty).
   * OK also with findings. */
  outbox_code (*check)(outbox_session*, const outbox_call*, void* ctx,
                       void (*finding)(void* ctx, int32_t severity, outbox_bytes what, outbox_bytes fix),
                       outbox_error*);
  /* [session] What apply would change, one callback a change, as a phrase for people: "add column t.c". Changes
   * nothing. OK also where apply would refuse a change. May be NULL. */
  outbox_code (*plan)(outbox_session*, const outbox_schema_options*, const outbox_call*, void* ctx,
                      void (*change)(void* ctx, outbox_bytes what), outbox_error*);
} outbox_schema_v1;
#endif
