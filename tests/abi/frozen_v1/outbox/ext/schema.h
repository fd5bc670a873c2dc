/* outbox.schema/1: prints, checks, creates and upgrades the tables. `outbox-relay migrate` and `outbox-relay check` use
 * it.
 *
 * Since: 1.0 */
#ifndef OUTBOX_EXT_SCHEMA_H
#define OUTBOX_EXT_SCHEMA_H
#include "../plugin.h"
#define OUTBOX_SCHEMA_V1 "outbox.schema/1"

/* The severity of a finding of check(). */
enum {
  OUTBOX_FINDING_WARNING = 0,
  OUTBOX_FINDING_ERROR = 1,
  /* Nothing is wrong: the finding reports a fact, or names data that this user lacks the privilege to read. */
  OUTBOX_FINDING_NOTE = 2
};

/* The required schema, for print(), apply() and plan().
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Number of shards; 0 = keep the present number, which is 1 for a new outbox. */
  uint32_t shards;
  /* Type of the payload column: "text", "bytea" or "jsonb"; absent = the default. */
  outbox_bytes payload;
  /* 1 = the database objects that outbox.wakeup/1 needs must exist, 0 = they must not exist. */
  uint32_t wake_up;
  /* 1 = payloads of stored events may be converted. 0 = a change that requires it is refused with OUTBOX_BAD_CONFIG,
   * and nothing is changed. */
  uint32_t rewrite_events;
  /* 1 = remove only the object that copies the rows of an application's table, such as a trigger. The tables and their
   * rows remain. It is refused with OUTBOX_BAD_CONFIG if no table is captured. */
  uint32_t remove_capture;
} outbox_schema_options;

/* The functions of outbox.schema/1.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Passes the statements that create or upgrade the schema to text(), as SQL, without opening a connection. text() is
   * called on the caller's thread, during the call. Thread: [store] */
  outbox_code (*print)(outbox_store*, const outbox_schema_options*, void* ctx,
                       void (*text)(void* ctx, outbox_bytes sql), outbox_error*);
  /* Creates the missing tables and changes those that differ from the options; a second call changes nothing. Locks on
   * tables that other clients use are held only briefly, and a lock that is not granted is retried.
   *
   * Errors: OUTBOX_TIMEOUT if a lock was not granted in time. Thread: [session] */
  outbox_code (*apply)(outbox_session*, const outbox_schema_options*, const outbox_call*, outbox_error*);
  /* Examines tables, columns, version, sequence, privileges and objects that others have added; changes nothing. Calls
   * finding() once for each result, with its OUTBOX_FINDING_... value, the problem, and the SQL or the sentence that
   * fixes it, which may be empty. It returns OUTBOX_OK even if there are findings. Thread: [session] */
  outbox_code (*check)(outbox_session*, const outbox_call*, void* ctx,
                       void (*finding)(void* ctx, int32_t severity, outbox_bytes what, outbox_bytes fix),
                       outbox_error*);
  /* Calls change() once for each change that apply() would make, with a human-readable phrase such as "add column t.c".
   * It changes nothing, and returns OUTBOX_OK even if apply() would refuse a change. May be NULL. Thread: [session] */
  outbox_code (*plan)(outbox_session*, const outbox_schema_options*, const outbox_call*, void* ctx,
                      void (*change)(void* ctx, outbox_bytes what), outbox_error*);
} outbox_schema_v1;
#endif
