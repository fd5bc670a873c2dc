/* The binary contract between the relay and a storage plugin: ABI 1, in C99 that is also valid C++.
 *
 * A plugin is a shared library that exports one function, outbox_plugin_v1(), which returns a function table. The
 * functions work on two kinds of handles. A store is one configured outbox: it holds the state that its connections
 * share. A session is one connection of a store. The relay opens several sessions, and may close one and open another
 * at any time, for example after an error.
 *
 * An event is stored as one row of the outbox. An event is outstanding from the time when the relay has read it until
 * it is settled. It is settled when the relay has nothing more to do for the event, because its row was removed, its
 * failure was recorded, or it was dropped. To drop an outstanding event is to give it up without recording anything:
 * its row is read again. The position is the row id up to which a plugin has read. A late row is a row that becomes
 * visible below the position because its transaction committed late. docs/glossary.md defines all terms.
 *
 * Thread: each function carries a tag with the rule on which it can rely.
 *   [store]    It is called on any thread, and may overlap with any other call on the same store.
 *   [session]  It is called on any thread, but never twice at once for the same session.
 *   [any]      It is called on any thread at any moment, also while another call on the same session runs.
 *
 * INVARIANT: authoritative state exists in two places only. The database holds rows, failures and leases; the relay
 * holds the outstanding events. Any state that a plugin keeps between calls is a hint, which may be lost at any moment.
 *
 * REQUIRES: no exception is thrown across these functions, in either direction. A plugin installs no signal handler,
 * does not change the locale, writes nothing to stdout or stderr, and never calls exit(). A plugin is never unloaded.
 *
 * Pointers that are passed to a function or a callback are valid until it returns, unless their comment says otherwise.
 *
 * A struct with struct_size may grow at its end in a later minor version: check OUTBOX_HAS before you read a field that
 * the other side may not know. A struct that is called frozen never changes. `Since` names the version of the ABI,
 * major and minor, in which a struct or an extension appeared. */
#ifndef OUTBOX_PLUGIN_H
#define OUTBOX_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The minor version of the ABI that this header describes. */
#define OUTBOX_ABI_MINOR 0u
/* Makes a function visible outside the shared library. */
#define OUTBOX_EXPORT __attribute__((visibility("default")))
/* True if `field` lies within the struct_size that the other side has set in *pointer. */
#define OUTBOX_HAS(type, pointer, field) ((pointer)->struct_size >= offsetof(type, field) + sizeof((pointer)->field))

/* The result of a call. The code decides what the relay does next. The number of a code is never reused for another
 * meaning. The relay treats a code that this header does not define as OUTBOX_INTERNAL.
 *
 * Since: 1.0 */
typedef int32_t outbox_code;
enum {
  /* The call succeeded. */
  OUTBOX_OK = 0,
  /* The plugin does not support the function. The relay disables the feature. */
  OUTBOX_UNSUPPORTED = 1,
  /* Options, schema or privileges are wrong. At its start the daemon prints the text and exits; later the relay
   * retries. */
  OUTBOX_BAD_CONFIG = 2,
  /* The database is unavailable: there is no connection or no disk space, or it is read-only. The relay backs off and
   * reconnects; no event is charged an attempt. */
  OUTBOX_UNAVAILABLE = 3,
  /* The call did not finish in time. The relay backs off and reconnects, as after OUTBOX_UNAVAILABLE. The outcome of a
   * write is unknown, and the relay repeats it. */
  OUTBOX_TIMEOUT = 4,
  /* cancel() ended the call. */
  OUTBOX_CANCELLED = 5,
  /* The token is stale, and nothing was changed. The relay drops the shard. */
  OUTBOX_LEASE_LOST = 6,
  /* The data of the request cannot be stored. The session can still be used. */
  OUTBOX_BAD_DATA = 7,
  /* The plugin itself is at fault. The relay logs the error and reconnects. */
  OUTBOX_INTERNAL = 8,
  /* Returned only by confirm_event: the database refuses to remove one of the rows, because of a foreign key or a
   * trigger that raises an error, and refuses it again if the call is repeated. The session can still be used. */
  OUTBOX_REFUSED = 9
};

/* A view of bytes; it owns nothing. Absent: data is NULL and size is 0. Empty: data is not NULL and size is 0. The
 * bytes live as long as the struct that contains the view.
 *
 * Since: 1.0 */
typedef struct {
  const void* data;
  size_t size; /* Number of bytes. */
} outbox_bytes;

/* Identifies a row. A row id is opaque to the relay and unique among live rows. A plugin declares one form for all its
 * rows and never changes it. With OUTBOX_ROW_IDS_ARE_NUMBERS the form is `number`, and bytes.data is NULL. Without that
 * capability the form is `bytes`, which are never absent or empty, and number is 0. Logs, JSON and commands show a
 * number as its decimal digits. Frozen.
 *
 * Since: 1.0 */
typedef struct {
  outbox_bytes bytes;
  int64_t number;
} outbox_row_id;

/* Describes why a call failed. The caller owns it, zeroes it and sets struct_size. The plugin fills it before it
 * returns a code other than OUTBOX_OK.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* The database's own error number; 0 = none. */
  int32_t native_code;
  /* The five characters of the SQLSTATE and a NUL; empty = none. */
  char sqlstate[8];
  /* UTF-8 text, terminated by NUL and truncated to 495 bytes if necessary. It is logged and stored, so it must not
   * contain a payload or a secret. */
  char message[496];
} outbox_error;

/* An event, with the number of its failed attempts. The struct grows at its end only: an array of it is traversed with
 * the stride event_size of its batch, never with sizeof.
 *
 * Since: 1.0 */
typedef struct {
  /* The row id, in the form that the plugin declares. The relay refuses a batch that mixes forms. */
  outbox_row_id row_id;
  /* The event id, which identifies the event for consumers. Never absent. */
  outbox_bytes event_id;
  /* The key. Absent = the event has no key and no order; an empty key is a key. */
  outbox_bytes aggregate_id;
  /* The event type. Never absent. */
  outbox_bytes event_type;
  /* The topic. Never absent. */
  outbox_bytes topic;
  /* The payload. Absent = the record is a tombstone. */
  outbox_bytes payload;
  /* The headers. Absent = no headers. Otherwise a JSON object whose values are strings, numbers, true, false, null or
   * {"base64": "..."}. The relay validates it. */
  outbox_bytes headers;
  /* The time at which the event was created, in microseconds since 1970 UTC; 0 = unknown. */
  int64_t created_us;
  /* Number of failed attempts. It is at least 1 for any row that has ever failed, even if an operator has reset the
   * counter: while the row was failed, later rows of its key were skipped, and from this field the relay learns that it
   * must read them again. */
  uint32_t attempts;
  uint32_t reserved; /* Must be 0. */
  /* Values of the columns that outbox.columns/1 describes, in the same order. NULL with column_count 0 = the row has no
   * columns. */
  const outbox_bytes* columns;
  size_t column_count; /* Number of elements of `columns`. */
} outbox_event;

/* The mode of a read: the values of outbox_reserve.mode. */
enum {
  /* Continue after the last read. Late rows are returned before all others. Due retries and new rows share the batch:
   * neither excludes the other, and retries take at most half of the batch while there are new rows too. Only one read
   * in this mode returns a late row; if the relay drops it, a rescan returns it. */
  OUTBOX_READ_ON = 0,
  /* Forget the position and begin again at the oldest row. */
  OUTBOX_REWIND = 1,
  /* Leave the position unchanged, and do one step of a second pass from the oldest row up to the position. A step reads
   * a bounded number of rows. It returns, in ascending order, rows that wait for no other row of their key, have never
   * failed and are not outstanding; late rows are among them. A rewind ends the pass. */
  OUTBOX_RESCAN = 2
};

/* The progress of a rescan: the values of outbox_batch.rescan. The first OUTBOX_RESCAN after an answer other than
 * OUTBOX_RESCAN_GOES_ON begins a new pass. */
enum {
  /* The pass has reached the current position. A plugin that treats OUTBOX_RESCAN like OUTBOX_REWIND also returns this
   * value. */
  OUTBOX_RESCAN_DONE = 0,
  /* The pass has not ended; there are more rows to read. */
  OUTBOX_RESCAN_GOES_ON = 1,
  /* The pass has reached the position as it was when the pass began. */
  OUTBOX_RESCAN_ENDED = 2
};

/* The result of a reserve call: events that no other relay receives until they are settled or released, or until the
 * reservation expires. The relay owns the struct, and the plugin owns what the struct points to, until release(). The
 * relay reads the struct only if the call returned OUTBOX_OK.
 *
 * Since: 1.0 */
typedef struct outbox_batch {
  uint32_t struct_size;
  /* Distance between two elements of `events`, in bytes: the plugin's sizeof(outbox_event). */
  uint32_t event_size;
  const outbox_event* events;
  size_t count; /* Number of events; 0 is not an error. */
  /* Identifies the reservation: the relay passes it in outbox_call.token to confirm_failed and release_events. 0 = the
   * reservation is not fenced. */
  uint64_t token;
  /* Time for which the reservation lasts, in milliseconds by the database's clock. The relay counts from the START of
   * the call. The value must not exceed the time for which the marks on the rows last, whatever reserve_ms was. 0 = as
   * long as the lease of the shard (outbox.leases/1). */
  int64_t lease_left_ms;
  /* 1 = a limit ended the batch, so there may be more to read; the relay makes the next reserve call at once. */
  uint32_t more;
  /* An OUTBOX_RESCAN_... value if the mode was OUTBOX_RESCAN, otherwise 0. */
  uint32_t rescan;
  /* Number of bytes that the relay counts against its memory limit until release(). */
  size_t arena_bytes;
  /* Frees the events. It is called exactly once, on the thread that settles the last event, so it must not depend on
   * thread-local state. The call may come after disconnect(), but never after close().
   *
   * REQUIRES: not NULL, not even in an empty batch. Thread: [any] */
  void (*release)(struct outbox_batch*);
  /* The plugin's own pointer, for release(). */
  void* owner;
} outbox_batch;

/* The circumstances of a call. Every call that may access the database is given one.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* The shard that the call concerns: at least 0, and below the number of shards. */
  uint32_t shard;
  /* In reserve_new_events, confirm_failed, release_events and the functions of outbox.poison/1: the token of the
   * shard's lease. If the plugin marks rows instead of leasing shards: in confirm_failed and release_events the token
   * of the batch. It is 0 if there is no token. */
  uint64_t token;
  /* Upper limit for the duration of the whole call, in milliseconds; above 0. */
  int64_t timeout_ms;
} outbox_call;

/* The parameters of a reserve call.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Upper limit for the number of events; at least 1. */
  uint32_t max_events;
  /* Upper limit for the sizes of keys, headers, payloads and columns together, in bytes. One event is returned even if
   * it is larger. */
  uint64_t max_bytes;
  /* Time for which no other relay may receive the returned events, in milliseconds. */
  int64_t reserve_ms;
  /* The id of the relay that makes the call, as in outbox.leases/1. */
  outbox_bytes relay_id;
  /* Returns 1 if the row is outstanding; the plugin then skips it. REQUIRES: the plugin calls it for every row that it
   * returns, during the reserve call and on the thread of that call. BatchBuilder::Add does this. */
  int32_t (*is_outstanding)(void* ctx, const outbox_row_id* row_id);
  /* The first argument of is_outstanding. */
  void* ctx;
  /* OUTBOX_READ_ON, OUTBOX_REWIND or OUTBOX_RESCAN. */
  uint32_t mode;
  /* 1 = the relay has no room for retries, and drops those that are returned; they stay due. A plugin may leave retries
   * out, which can be faster. Rows that are queued behind a failed row are left out as in any other read. */
  uint32_t skip_retries;
} outbox_reserve;

/* The disposition of a failed row: the values of outbox_failure.disposition. */
enum {
  /* The row is due again after retry_after_ms. */
  OUTBOX_RETRY = 0,
  /* The row is never due by itself: it waits for an operator, together with the later rows of its key. */
  OUTBOX_BLOCK = 1,
  /* The row moves to the dead letters, in one transaction. */
  OUTBOX_DEAD = 2,
  /* Kafka has acknowledged the event, and the database refuses to remove its row. From then on no reserve call returns
   * the row, its key goes on without it, and its removal is due again after retry_after_ms (see remove_delivered of
   * outbox.admin/1). */
  OUTBOX_DELIVERED = 3
};

/* Names a row by both of its ids. An id may be assigned twice (after a restore, or after a failover to a server that
 * lagged behind), so a row is meant only if both its row id and its event id match. Frozen.
 *
 * Since: 1.0 */
typedef struct {
  outbox_row_id row_id;
  outbox_bytes event_id;
} outbox_row;

/* The failure of one row. It names the row as outbox_row does. Frozen.
 *
 * Since: 1.0 */
typedef struct {
  outbox_row_id row_id;
  outbox_bytes event_id;
  /* A short word for programs: "too_large", "bad_headers", "unknown_topic", ... */
  outbox_bytes reason;
  /* An explanation for people, without any payload. */
  outbox_bytes text;
  /* Milliseconds until the row, or with OUTBOX_DELIVERED its removal, is due again. */
  int64_t retry_after_ms;
  int32_t disposition; /* OUTBOX_RETRY, OUTBOX_BLOCK, OUTBOX_DEAD or OUTBOX_DELIVERED. */
  int32_t reserved;
} outbox_failure;

/* A configured outbox, created by open() and destroyed by close(). Opaque to the relay. */
typedef struct outbox_store outbox_store;
/* One connection of a store, created by connect() and destroyed by disconnect(). Opaque to the relay. */
typedef struct outbox_session outbox_session;

/* The severity of a log line. */
enum { OUTBOX_LOG_DEBUG = 0, OUTBOX_LOG_INFO = 1, OUTBOX_LOG_WARN = 2, OUTBOX_LOG_ERROR = 3 };

/* The beginning of a secret mark, which stands for a secret in the options. If a plugin has OUTBOX_CAN_FILL_SECRETS,
 * the relay puts such a mark in the place of each ${env:NAME} and ${file:PATH} of the configuration:
 * OUTBOX_SECRET_MARK, followed by digits and lower-case letters, OUTBOX_SECRET_MARK_SIZE characters in all. The plugin
 * parses its options with the marks in them, and afterwards calls fill() for each part that contains marks, so a secret
 * is never parsed as syntax. A mark that is a whole value may stand for a text with its own syntax, such as a complete
 * connection string: fill it first, then parse it. */
#define OUTBOX_SECRET_MARK "outboxsecret"
#define OUTBOX_SECRET_MARK_SIZE 36

/* The functions that the relay offers to a plugin. The relay owns the struct, which lives until close() has returned.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size, abi_minor;
  /* The first argument of the functions below. */
  void* ctx;
  /* Writes a line to the relay's log. `level` is an OUTBOX_LOG_... value; `text` has `size` bytes and must not contain
   * a payload or a secret. Thread: [any] */
  void (*log)(void* ctx, int32_t level, const char* text, size_t size);
  /* Replaces each secret mark in `text` by its secret, and passes the result to give(to, filled): once, before it
   * returns. During connect() the secrets are up to date: the relay reads files again for each attempt to connect. If
   * connect() refuses a secret that has changed (OUTBOX_BAD_CONFIG), the relay calls it again with the secret that
   * worked before.
   *
   * REQUIRES: fill() is called only during open() or connect(), on the thread of that call. */
  void (*fill)(void* ctx, outbox_bytes text, void* to, void (*give)(void* to, outbox_bytes filled));
  /* Registers `secret`, a password or the like that the plugin has found in its options. The relay removes it from all
   * messages of this plugin that it logs or shows. Thread: [any] */
  void (*hide)(void* ctx, outbox_bytes secret);
} outbox_host;

/* Capabilities: promises of a plugin, as the bits of outbox_plugin.capabilities. The contract tests check each promise
 * that a plugin makes. */
enum {
  /* Several relays can share the outbox: events that one relay has reserved are not returned to another. */
  OUTBOX_CAN_SHARE = 1,
  /* The rows of a key are returned in ascending order, and no row is returned while an earlier row of its key has
   * failed and is not settled. Required for "ordering": "key". */
  OUTBOX_CAN_ORDER_KEYS = 2,
  /* If the token is stale, confirm_failed and release_events change nothing and return OUTBOX_LEASE_LOST. If rows are
   * marked, a token is stale as soon as one of the rows bears another token, whether the mark has expired or not. */
  OUTBOX_CAN_FENCE = 4,
  /* Rows that failed with OUTBOX_DEAD are kept and can be requeued. Required for "on_exhausted": "dead_letter". */
  OUTBOX_CAN_DEAD_LETTER = 8,
  /* The plugin accepts secret marks in its options (OUTBOX_SECRET_MARK) and has them filled in by outbox_host.fill.
   * Without this capability the relay fills in values that consist of exactly one reference, once, before open(), and
   * refuses references inside longer texts. */
  OUTBOX_CAN_FILL_SECRETS = 16,
  /* Row ids have the form `number`, so they are not converted to and from decimal text. Without this capability row ids
   * have the form `bytes`. */
  OUTBOX_ROW_IDS_ARE_NUMBERS = 32
};

/* The function table of a plugin. The plugin owns the table, which is constant and lives until the process ends. The
 * struct does not change within a major version of the ABI: later features are extensions.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size, abi_minor;
  /* The name in the file name outbox-<name>.so: [a-z0-9_-]+ */
  const char* name;
  const char* version;
  /* The capabilities: OUTBOX_CAN_... values and OUTBOX_ROW_IDS_ARE_NUMBERS, combined by |. */
  uint64_t capabilities;

  /* Checks the options, which are a JSON object as UTF-8 text of `size` bytes, and creates a store. It does no I/O.
   *
   * Errors: OUTBOX_BAD_CONFIG if the options are wrong. Thread: [any] */
  outbox_code (*open)(const outbox_host*, const char* options, size_t size, outbox_store**, outbox_error*);
  /* Destroys a store. It is called after every disconnect() and every release() of a batch. Thread: [any] */
  void (*close)(outbox_store*);

  /* Opens a connection and creates a session.
   *
   * Errors: OUTBOX_BAD_CONFIG if the database refuses the user or the password, OUTBOX_UNAVAILABLE if there is no
   * connection. Thread: [store] */
  outbox_code (*connect)(outbox_store*, const outbox_call*, outbox_session**, outbox_error*);
  /* Closes the connection and destroys the session. It may be called while the session's batches are still in use: they
   * live until their release(). Thread: [session] */
  void (*disconnect)(outbox_session*);

  /* Returns committed events that are due, in ascending order per key. An empty batch is not an error. If relays share
   * rows instead of shards, the plugin marks the rows that it returns. It returns no row while an earlier row of the
   * same key is marked by another relay. Rows that the calling relay itself has marked are returned again, before later
   * rows of their keys, if they are not outstanding.
   *
   * Errors: OUTBOX_LEASE_LOST if the token is stale. Thread: [session] */
  outbox_code (*reserve_new_events)(outbox_session*, const outbox_reserve*, const outbox_call*, outbox_batch*,
                                    outbox_error*);
  /* Removes the given rows for good: Kafka has acknowledged their events. Idempotent: a row that does not exist, or
   * that has another event id, is skipped and left unchanged. Not fenced: a stale token is accepted. `kept` has `count`
   * elements, which the caller has zeroed; the plugin sets an element to 1 if the removal of that row was executed and
   * committed, and a snapshot taken afterwards still contains the row (because of a trigger or a policy).
   *
   * Errors: OUTBOX_REFUSED if the database refuses to remove one of the rows. Some of the other rows may have been
   * removed; the relay repeats the call with fewer rows at a time. Thread: [session] */
  outbox_code (*confirm_event)(outbox_session*, const outbox_row* rows, size_t count, const outbox_call*, uint8_t* kept,
                               outbox_error*);
  /* Records failures, each of which counts as one attempt: either all of them or none. A row that does not exist, or
   * that has another event id, is skipped. If a call is repeated after OUTBOX_TIMEOUT, an attempt may be counted twice.
   *
   * Errors: OUTBOX_LEASE_LOST if the token is stale (OUTBOX_CAN_FENCE). Thread: [session] */
  outbox_code (*confirm_failed)(outbox_session*, const outbox_failure*, size_t count, const outbox_call*,
                                outbox_error*);
  /* Releases rows that were neither sent nor failed: any relay may reserve them at once, and no attempt is counted. It
   * is called only if the batch has reported that its reservation expires by itself (lease_left_ms above 0). NULL =
   * reserving leaves no mark on rows, so there is nothing to undo.
   *
   * Errors: OUTBOX_LEASE_LOST if the token is stale (OUTBOX_CAN_FENCE). Thread: [session] */
  outbox_code (*release_events)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                                outbox_error*);
  /* Makes the call that runs on this session return soon, with OUTBOX_CANCELLED. NULL = nothing but timeout_ms ends a
   * call. Thread: [any] */
  void (*cancel)(outbox_session*);

  /* Returns the function table of the extension with this id, or NULL if the plugin does not implement it. The headers
   * in outbox/ext/ define the ids and the types of the function tables. The plugin owns the table, which is constant
   * and lives until the process ends.
   *
   * Thread: [any] */
  const void* (*get_extension)(const char* id);
} outbox_plugin;

/* Returns the function table of the plugin. A plugin exports no other symbol. The name of the function contains the
 * major version of the ABI. The function does no I/O and never fails.
 *
 * Since: 1.0 */
OUTBOX_EXPORT const outbox_plugin* outbox_plugin_v1(void);

#ifdef __cplusplus
}
#endif
#endif
