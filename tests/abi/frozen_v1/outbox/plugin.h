/* The binary contract between the relay and a storage plugin, ABI 1. C99 and C++.
 *
 * Two handles. A store is the outbox: one per configured storage, what its connections share.
 * A session is one connection to it. Each function carries the thread rule it can rely on:
 *   [store]    any thread, and may overlap with any other call on the same store
 *   [session]  any thread, but never two calls at once on one session
 *   [any]      any thread, any moment, also while another call on the same session runs
 *
 * Truth lives in two places only: rows and leases in the database, outstanding events in the relay.
 * What a plugin remembers between calls is a hint that it may lose at any moment.
 *
 * Nothing may be thrown across these functions in either direction. A plugin installs no signal
 * handler, does not change the locale, writes nothing to stdout or stderr and never calls exit().
 * A plugin is never unloaded. */
#ifndef OUTBOX_PLUGIN_H
#define OUTBOX_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OUTBOX_ABI_MINOR 0u
#define OUTBOX_EXPORT __attribute__((visibility("default")))
/* Is this field inside what the other side knows of the struct? */
#define OUTBOX_HAS(type, pointer, field) ((pointer)->struct_size >= offsetof(type, field) + sizeof((pointer)->field))

/* The code decides what the relay does. Numbers are never reused. */
typedef int32_t outbox_code;
enum {
  OUTBOX_OK = 0,
  OUTBOX_UNSUPPORTED = 1, /* the feature stays off */
  OUTBOX_BAD_CONFIG = 2,  /* options, schema or grants: the daemon stops at start and prints the text */
  OUTBOX_UNAVAILABLE = 3, /* back off, connect anew; no event is charged an attempt */
  OUTBOX_TIMEOUT = 4,     /* as UNAVAILABLE; the outcome of a write is unknown and it is repeated */
  OUTBOX_CANCELLED = 5,   /* cancel() ended the call */
  OUTBOX_LEASE_LOST = 6,  /* the token is stale and nothing was changed; the relay drops the shard */
  OUTBOX_BAD_DATA = 7,    /* what was asked for cannot be stored; the session is still good */
  OUTBOX_INTERNAL = 8,    /* logged as the plugin's fault; connect anew */
  OUTBOX_REFUSED = 9      /* of confirm_event: the database will not have one of these rows removed (a foreign key, a
                             trigger that raises), and will not the next time; the session is still good */
};

/* data NULL = absent; empty = data not NULL and size 0. Lifetime is that of the struct holding it. */
typedef struct {
  const void* data;
  size_t size;
} outbox_bytes;

/* Identifies a row. A plugin declares one form for all its rows, for ever: numbers (OUTBOX_ROW_IDS_ARE_NUMBERS), and then
 * bytes.data is NULL; or bytes, which are never absent or empty, and then number is 0. Row ids are opaque to the relay and
 * unique among live rows. People meet a number as its decimal digits. */
typedef struct { /* frozen */
  outbox_bytes bytes;
  int64_t number;
} outbox_row_id;

/* The caller's, zeroed by the caller but for struct_size. message is NUL-terminated UTF-8, cut if it
 * must be, and holds no payload and no secret: it is logged and stored. */
typedef struct {
  uint32_t struct_size;
  int32_t native_code;
  char sqlstate[8];
  char message[496];
} outbox_error;

/* Grows at the end only: arrays of it are walked by the batch's event_size. */
typedef struct {
  outbox_row_id row_id;      /* in the form that the plugin declares; a batch that mixes forms is refused */
  outbox_bytes event_id;     /* never absent; the identity that consumers see */
  outbox_bytes aggregate_id; /* the key; absent = no key and no order, empty is a key */
  outbox_bytes event_type;   /* never absent */
  outbox_bytes topic;        /* never absent */
  outbox_bytes payload;      /* absent = tombstone */
  outbox_bytes headers;      /* absent = none; else a JSON object whose values are strings, numbers, true, false, null
                                or {"base64": "..."}; the relay checks it */
  int64_t created_us;        /* microseconds since 1970 UTC, 0 = unknown */
  uint32_t attempts;         /* failed attempts so far; at least 1 for a row that has failed, also where an operator
                                has set them back: its followers were passed by, so the relay must read again */
  uint32_t reserved;         /* 0 */
  /* Values of the columns that outbox.columns/1 describes, in its order; NULL and 0 = the row brings none. */
  const outbox_bytes* columns;
  size_t column_count;
} outbox_event;

/* outbox_reserve.mode. */
enum {
  OUTBOX_READ_ON = 0, /* go on from the last read. Late rows go before all others. Due retries and new rows share the
                         batch: neither keeps the other out, and retries take at most half where both are there. A row
                         below the position that the relay does not take comes once, and then by a rescan */
  OUTBOX_REWIND = 1,  /* forget the position and begin again at the oldest row */
  OUTBOX_RESCAN = 2   /* leave the position where it is, and do one step of a second pass from the oldest row up to
                         it. A step looks at a bounded number of rows. It returns, ascending, rows that may go, have never
                         failed and are not outstanding, among them the late ones. A rewind ends the pass */
};

/* outbox_batch.rescan. A new pass begins with the first OUTBOX_RESCAN after an answer other than GOES_ON. */
enum {
  OUTBOX_RESCAN_DONE = 0,    /* the pass has reached the position as it stands now; also the answer of a plugin that
                                takes OUTBOX_RESCAN for OUTBOX_REWIND */
  OUTBOX_RESCAN_GOES_ON = 1, /* there is more to look at */
  OUTBOX_RESCAN_ENDED = 2    /* the pass has reached the position as it stood when the pass began */
};

/* The struct is the caller's; what it points to is the plugin's until release(). Looked at after OK only. */
typedef struct outbox_batch {
  uint32_t struct_size;
  uint32_t event_size; /* stride of events: the plugin's sizeof(outbox_event) */
  const outbox_event* events;
  size_t count;
  uint64_t token;        /* comes back in outbox_call with fail and release; 0 = not fenced */
  int64_t lease_left_ms; /* by the database's clock, counted by the relay from the START of the call; no longer than the
                            marks on the rows last, whatever reserve_ms was;
                            0 = as long as the shard's lease (outbox.leases/1) */
  uint32_t more;         /* 1 = a limit cut the batch, ask again at once */
  uint32_t rescan;       /* in answer to OUTBOX_RESCAN, else 0: an OUTBOX_RESCAN_... value */
  size_t arena_bytes;    /* what the relay books against its memory cap until release() */
  /* [any] Exactly once, by the thread that settles the last event: no thread-local state. May come
   * after disconnect(), never after close(). */
  void (*release)(struct outbox_batch*);
  void* owner;
} outbox_batch;

/* Every call is given one. A timeout is a bound on the whole call, in ms, > 0. */
typedef struct {
  uint32_t struct_size;
  uint32_t shard; /* 0 .. shards-1: the share of the keys that the call is about */
  uint64_t token; /* of the shard's lease in reserve, fail and release; where rows are marked, of the batch in fail and
                     release; 0 = none */
  int64_t timeout_ms;
} outbox_call;

typedef struct {
  uint32_t struct_size;
  uint32_t max_events; /* >= 1 */
  uint64_t max_bytes;  /* of keys, headers, payloads and columns together; at least one event, even if larger */
  int64_t reserve_ms;  /* how long nobody else may be given these events */
  outbox_bytes relay_id;
  /* During the call, on its thread: 1 = the relay holds this row, skip it. Must be asked for every
   * row; BatchBuilder::Add does. */
  int32_t (*is_outstanding)(void* ctx, const outbox_row_id* row_id);
  void* ctx;
  uint32_t mode; /* one of the three above */
  /* 1 = the relay has no room for retries: a plugin may leave them out, and be quicker. Those that it brings are given up,
   * and stay due. Rows that wait behind a failed one are left out as ever. */
  uint32_t skip_retries;
} outbox_reserve;

enum {
  OUTBOX_RETRY = 0, /* due again after retry_after_ms */
  OUTBOX_BLOCK = 1, /* never due by itself: waits, with its key, for an operator */
  OUTBOX_DEAD = 2,  /* moves to the dead letters, in one transaction */
  /* Kafka has it and the database does not let it go: from here on no reserve returns it, its key goes on without it, and
   * its removal is due again after retry_after_ms (remove_delivered of outbox.admin/1). */
  OUTBOX_DELIVERED = 3
};

/* An id may be given twice (a restore, a failover to a server that lagged behind); a row is meant only where both fit. */
typedef struct { /* frozen */
  outbox_row_id row_id;
  outbox_bytes event_id;
} outbox_row;

typedef struct { /* frozen */
  outbox_row_id row_id;
  outbox_bytes event_id;
  outbox_bytes reason; /* short machine word: "too_large", "bad_headers", "unknown_topic", ... */
  outbox_bytes text;   /* for people; no payload */
  int64_t retry_after_ms;
  int32_t disposition; /* OUTBOX_RETRY, OUTBOX_BLOCK, OUTBOX_DEAD or OUTBOX_DELIVERED */
  int32_t reserved;
} outbox_failure;

typedef struct outbox_store outbox_store;
typedef struct outbox_session outbox_session;

enum { OUTBOX_LOG_DEBUG = 0, OUTBOX_LOG_INFO = 1, OUTBOX_LOG_WARN = 2, OUTBOX_LOG_ERROR = 3 };

/* A secret in the options. A plugin with OUTBOX_CAN_FILL_SECRETS is given a mark in the place of each ${env:NAME} and
 * ${file:PATH} of the configuration: this word, then digits and small letters, OUTBOX_SECRET_MARK_SIZE characters in all.
 * It parses its options with the marks in them and asks fill() for the secrets of each part afterwards, so a secret is
 * never read as syntax. A mark that is all of a text may stand for a text with syntax of its own, such as a whole
 * connection string: fill it, then parse. */
#define OUTBOX_SECRET_MARK "outboxsecret"
#define OUTBOX_SECRET_MARK_SIZE 36

typedef struct { /* the relay's; lives until close() has returned */
  uint32_t struct_size, abi_minor;
  void* ctx;
  void (*log)(void* ctx, int32_t level, const char* text, size_t size); /* [any] */
  /* During open() and connect() only, on their thread. Calls give(to, filled) once, before it returns, with each mark in
   * `text` replaced by its secret. During connect() that is the secret of this attempt: files are read again for each,
   * and where a new secret is refused (BAD_CONFIG) the relay calls connect() again with the one that worked before. */
  void (*fill)(void* ctx, outbox_bytes text, void* to, void (*give)(void* to, outbox_bytes filled));
  /* [any] `secret` is a password or the like, found in the options. The relay keeps it out of everything that it logs or
   * shows of this plugin's messages. */
  void (*hide)(void* ctx, outbox_bytes secret);
} outbox_host;

/* Promises that the contract tests hold the plugin to. */
enum {
  /* Several relays: what one has reserved, no other gets. */
  OUTBOX_CAN_SHARE = 1,
  /* Rows ascend per key, and no row is returned while an earlier one of its key has failed and is
   * not settled. Required for "ordering": "key". */
  OUTBOX_CAN_ORDER_KEYS = 2,
  /* Fail and release under a stale token change nothing and answer LEASE_LOST. Where rows are marked a token is stale as
   * soon as one of the rows bears another, whether the mark has ended or not. */
  OUTBOX_CAN_FENCE = 4,
  /* OUTBOX_DEAD is kept and can be requeued. Required for "on_exhausted": "dead_letter". */
  OUTBOX_CAN_DEAD_LETTER = 8,
  /* The options may hold marks of secrets (OUTBOX_SECRET_MARK), which the plugin fills in by itself. Without this the
   * relay fills in values that are one reference and nothing else, once, and refuses references inside longer texts. */
  OUTBOX_CAN_FILL_SECRETS = 16,
  /* The form of the plugin's row ids is `number`: no digits are printed and parsed on the way of an event. Without this
   * bit it is `bytes`. */
  OUTBOX_ROW_IDS_ARE_NUMBERS = 32
};

/* Const, in the plugin, for ever. Frozen with the major version: later abilities are extensions. */
typedef struct {
  uint32_t struct_size, abi_minor;
  const char* name; /* as in the file name outbox-<name>.so: [a-z0-9_-]+ */
  const char* version;
  uint64_t capabilities;

  /* [any] Checks options (a JSON object as UTF-8 text); does no I/O. */
  outbox_code (*open)(const outbox_host*, const char* options, size_t size, outbox_store**, outbox_error*);
  void (*close)(outbox_store*); /* after every disconnect() and release() */

  outbox_code (*connect)(outbox_store*, const outbox_call*, outbox_session**, outbox_error*); /* [store] */
  void (*disconnect)(outbox_session*); /* [session] at any time; batches may outlive it */

  /* [session] Committed, due events, ascending per key. No event is not an error. Where several relays share rows, not
   * shards, it marks them: it gives no row while an earlier one of its key is marked by another relay, and gives a relay
   * its own marked rows again, before later ones of their key, if they are not outstanding. */
  outbox_code (*reserve_new_events)(outbox_session*, const outbox_reserve*, const outbox_call*, outbox_batch*,
                                    outbox_error*);
  /* [session] Kafka has them: gone for good. Idempotent, never fenced; what is not there, or stands under the id with
   * another event id, is passed over and left alone. kept has room for count, zeroed by the caller: 1 = the removal was
   * carried out and committed, and the row is still there in a snapshot of afterwards (a trigger, a policy). After
   * OUTBOX_REFUSED some may be gone; the relay asks again for fewer at a time. */
  outbox_code (*confirm_event)(outbox_session*, const outbox_row* rows, size_t count, const outbox_call*, uint8_t* kept,
                               outbox_error*);
  /* [session] Each counts one attempt. All or nothing; a repeated call after TIMEOUT may count twice. A row that stands
   * under the id with another event id is passed over. */
  outbox_code (*confirm_failed)(outbox_session*, const outbox_failure*, size_t count, const outbox_call*,
                                outbox_error*);
  /* [session] Not sent and not failed: due for anybody at once, counts nothing. Asked for where a batch has said that its
   * reservation ends by itself (lease_left_ms > 0). NULL = reserving leaves no mark on rows, so there is nothing to undo. */
  outbox_code (*release_events)(outbox_session*, const outbox_row_id* row_ids, size_t count, const outbox_call*,
                                outbox_error*);
  void (*cancel)(outbox_session*); /* [any] ends a running call soon; NULL = timeout_ms is the only brake */

  /* [any] A static table, see outbox/ext/, or NULL. */
  const void* (*get_extension)(const char* id);
} outbox_plugin;

/* The one exported symbol; the major version is its name. Runs no I/O, never fails. */
OUTBOX_EXPORT const outbox_plugin* outbox_plugin_v1(void);

#ifdef __cplusplus
}
#endif
#endif
