/* outbox.columns/1: describes the columns that rows carry beside the fields of outbox_event, for example because the
 * rows are copies of the rows of an application's table. From these columns the relay makes the topic, key, value and
 * headers of a record, as the section "record" of its configuration says.
 *
 * Since: 1.0 */
#ifndef OUTBOX_EXT_COLUMNS_H
#define OUTBOX_EXT_COLUMNS_H
#include "../plugin.h"
#define OUTBOX_COLUMNS_V1 "outbox.columns/1"

/* The kind of a column: what it contains, and how its value is written in outbox_event.columns. "Digits" are decimal
 * digits, with a minus sign if the number is negative. */
enum {
  /* UTF-8 text. */
  OUTBOX_COLUMN_TEXT = 0,
  /* The bytes themselves. */
  OUTBOX_COLUMN_BYTES = 1,
  /* JSON text, as the database writes it. */
  OUTBOX_COLUMN_JSON = 2,
  /* Digits. */
  OUTBOX_COLUMN_INTEGER = 3,
  /* "true" or "false". */
  OUTBOX_COLUMN_BOOLEAN = 4,
  /* The shortest decimal text from which the same number of double precision is read again; or "NaN", "Infinity",
   * "-Infinity". */
  OUTBOX_COLUMN_DOUBLE = 5,
  /* As OUTBOX_COLUMN_DOUBLE, for a number of single precision. */
  OUTBOX_COLUMN_FLOAT = 6,
  /* Decimal text with `scale` digits after the decimal point, or "NaN". */
  OUTBOX_COLUMN_DECIMAL = 7,
  /* A date and time without a time zone: microseconds since 1970, as if it were a time in UTC, in digits; or
   * "infinity", "-infinity". */
  OUTBOX_COLUMN_TIMESTAMP = 8,
  /* A point in time: microseconds since 1970 UTC, in digits; or "infinity", "-infinity". */
  OUTBOX_COLUMN_INSTANT = 9,
  /* Days since 1970-01-01, in digits; or "infinity", "-infinity". */
  OUTBOX_COLUMN_DATE = 10,
  /* Any other type: the text that the database writes for the value. */
  OUTBOX_COLUMN_OTHER = 11
};

/* The role of a column: what the relay uses it for. Each role, except OUTBOX_ROLE_NONE, belongs to at most one
 * column. */
enum {
  OUTBOX_ROLE_NONE = 0,
  /* The identity of the event for consumers. */
  OUTBOX_ROLE_ID = 1,
  /* The key of the record. */
  OUTBOX_ROLE_KEY = 2,
  /* The payload. Its value is in outbox_event.payload, and absent in outbox_event.columns. */
  OUTBOX_ROLE_PAYLOAD = 3,
  /* The number of the partition. */
  OUTBOX_ROLE_PARTITION = 4,
  /* The time at which the event was created. */
  OUTBOX_ROLE_CREATED = 5
};

/* A column. The plugin owns the struct, which is valid until the callback returns and grows at its end only.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* An OUTBOX_COLUMN_... value. */
  int32_t kind;
  /* An OUTBOX_ROLE_... value. */
  int32_t role;
  /* 1 = the column may be NULL in the table that the rows come from. */
  uint32_t nullable;
  /* For OUTBOX_COLUMN_DECIMAL: the number of digits after the decimal point. For OUTBOX_COLUMN_TIMESTAMP and
   * OUTBOX_COLUMN_INSTANT: the number of digits of the fraction of a second that the column keeps. -1 = the type does
   * not define it. */
  int32_t scale;
  uint32_t reserved;
  /* The name of the column in the table that the rows come from. */
  outbox_bytes name;
  /* The type as the database writes it, such as "numeric(10,2)". It is used in messages. */
  outbox_bytes type;
} outbox_column;

/* The functions of outbox.columns/1.
 *
 * Since: 1.0 */
typedef struct {
  uint32_t struct_size;
  /* Describes the columns of the rows: calls column() once for each of them, in the order of outbox_event.columns. The
   * order remains the same for the life of the store, as long as the tables do not change. No call of column() = rows
   * carry no columns. Thread: [session] */
  outbox_code (*describe)(outbox_session*, const outbox_call*, void* ctx,
                          void (*column)(void* ctx, const outbox_column*), outbox_error*);
  /* Checks that the object which inserts the rows, such as a trigger on the application's table, still exists and is as
   * configured. The relay calls it at its start and every minute. NULL = only the application inserts rows.
   *
   * Errors: OUTBOX_BAD_CONFIG if the object is missing or different; the text says what is wrong and how to correct it.
   * The relay is not ready then, and continues with the rows that exist. Thread: [session] */
  outbox_code (*verify)(outbox_session*, const outbox_call*, outbox_error*);
  /* Describes the columns of any table, as describe() does, but all with OUTBOX_ROLE_NONE. `table` is "name" or
   * "schema.name". `check --suggest` uses the function, which works without an outbox. No call of column() = the table
   * does not exist. NULL = the plugin cannot describe tables. Thread: [session] */
  outbox_code (*columns_of)(outbox_session*, outbox_bytes table, const outbox_call*, void* ctx,
                            void (*column)(void* ctx, const outbox_column*), outbox_error*);
} outbox_columns_v1;
#endif
