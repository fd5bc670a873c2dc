/* outbox.columns/1: the columns of rows that bring more than the fields of outbox_event, such as copies of the rows of a table
 * of the application's. The relay makes topic, key, value and headers from them (the "record" section of its configuration). */
#ifndef OUTBOX_EXT_COLUMNS_H
#define OUTBOX_EXT_COLUMNS_H
#include "../plugin.h"
#define OUTBOX_COLUMNS_V1 "outbox.columns/1"

/* What a column holds, and how its value is written in outbox_event.columns. */
enum {
  OUTBOX_COLUMN_TEXT = 0,    /* UTF-8 text */
  OUTBOX_COLUMN_BYTES = 1,   /* the bytes themselves */
  OUTBOX_COLUMN_JSON = 2,    /* the JSON text, as the database writes it */
  OUTBOX_COLUMN_INTEGER = 3, /* decimal digits, with a minus sign where it is negative */
  OUTBOX_COLUMN_BOOLEAN = 4, /* "true" or "false" */
  OUTBOX_COLUMN_DOUBLE =
      5, /* the shortest decimal text that reads back as the same double; "NaN", "Infinity", "-Infinity" */
  OUTBOX_COLUMN_FLOAT = 6,   /* the same of single precision */
  OUTBOX_COLUMN_DECIMAL = 7, /* decimal text with `scale` digits behind the point, or "NaN" */
  OUTBOX_COLUMN_TIMESTAMP =
      8, /* without a time zone: microseconds since 1970, the clock's face taken as UTC, as digits; or
                                  "infinity", "-infinity" */
  OUTBOX_COLUMN_INSTANT = 9, /* a moment: microseconds since 1970 UTC, as digits; or "infinity", "-infinity" */
  OUTBOX_COLUMN_DATE = 10,   /* days since 1970-01-01, as digits; or "infinity", "-infinity" */
  OUTBOX_COLUMN_OTHER = 11   /* any other type: the text that the database writes for it */
};

/* What a column is for. At most one column has each role but NONE. */
enum {
  OUTBOX_ROLE_NONE = 0,
  OUTBOX_ROLE_ID = 1,        /* the event's identity for consumers */
  OUTBOX_ROLE_KEY = 2,       /* the record's key */
  OUTBOX_ROLE_PAYLOAD = 3,   /* its value is outbox_event.payload; in outbox_event.columns its place is absent */
  OUTBOX_ROLE_PARTITION = 4, /* the number of the partition */
  OUTBOX_ROLE_CREATED = 5    /* when the event came to be */
};

typedef struct { /* the plugin's, for the time of the callback; grows at the end only */
  uint32_t struct_size;
  int32_t kind;      /* OUTBOX_COLUMN_... */
  int32_t role;      /* OUTBOX_ROLE_... */
  uint32_t nullable; /* 1 = may be NULL in the table that rows come from */
  /* Of DECIMAL: digits behind the point. Of TIMESTAMP and INSTANT: digits of the fraction of a second that are kept. -1 = the
   * type does not say. */
  int32_t scale;
  uint32_t reserved;
  outbox_bytes name; /* as in the table that rows come from */
  outbox_bytes type; /* as the database writes it, for messages: "numeric(10,2)" */
} outbox_column;

typedef struct {
  uint32_t struct_size;
  /* [session] One callback a column, in the order of outbox_event.columns, which is the same for the life of the store as far
   * as the tables stay as they are. None = rows bring no columns. */
  outbox_code (*describe)(outbox_session*, const outbox_call*, void* ctx,
                          void (*column)(void* ctx, const outbox_column*), outbox_error*);
  /* [session] Is what brings the rows still in place and as configured, such as a trigger on the application's table? Asked at
   * start and every minute. OUTBOX_BAD_CONFIG = no: its text says what is wrong, and how to correct it; the relay is not ready
   * then, and goes on with the rows that are there. NULL = nothing brings rows but the application itself. */
  outbox_code (*verify)(outbox_session*, const outbox_call*, outbox_error*);
  /* [session] The columns of any table, as describe gives them, all with OUTBOX_ROLE_NONE: for `check --suggest`. Needs no
   * outbox. No callback = there is no such table. NULL = it cannot be asked. */
  outbox_code (*columns_of)(outbox_session*, outbox_bytes table, const outbox_call*, void* ctx,
                            void (*column)(void* ctx, const outbox_column*), outbox_error*);
} outbox_columns_v1;
#endif
