// What others have made on the tables of the outbox, in one wording for every database. The dialects bring the queries.
#pragma once

#include "sql/questions.hpp"

namespace outbox::sql {

// [1] the table, [2] what it is instead, [3] the fix.
inline constexpr Text kDerived{
    "[1] is [2], expected a table: rows that it leaves out are never sent, and whoever is writing to the table itself "
    "is not"
    " seen",
    "[3]"};
// [1] the table, [2] the trigger, [3] when it runs, [4] what follows, [5] the fix.
inline constexpr Text kTrigger{"trigger [2] runs [3] on table [1]: [4]", "[5]"};
// [1] the table, [2] the key, [3] the table that has it, [4] what follows, [5] the fix.
inline constexpr Text kKeyToTable{"foreign key [2] of table [3] refers to table [1]: [4]", "[5]"};
// [1] the table, [2] the key, [3] the table that it refers to, [4] what happens on a delete there, [5] the fix.
inline constexpr Text kKeyOfTable{
    "foreign key [2] of table [1] refers to [3] (on delete [4]): a delete there changes or removes rows that were "
    "never sent",
    "[5]"};
// [1] the table, [2] the index, [3] its columns, [4] the fix.
inline constexpr Text kUniqueIndex{
    "unique index [2] on table [1] ([3]): while one row waits, another one like it is refused, also by `dead requeue`",
    "[4]"};
// [1] the table, [2] the column, [3] what cannot insert a row, [4] the fix.
inline constexpr Text kUnfilled{"column [1].[2] takes no NULL and has no default: [3] cannot insert a row", "[4]"};
// [1] the table, [2] the column, [3] the fix.
inline constexpr Text kGenerated{
    "column [1].[2] is generated: the application, `emit` and `dead requeue` cannot insert a value of their own",
    "[3]"};
inline constexpr Text kNullable{
    "column [1].[2] may be NULL: an event without it cannot be recorded as failed or as a dead letter, and holds up "
    "others",
    "[3]"};
// [1] the table, [2] the constraint, [3] the fix.
inline constexpr Text kCheckConstraint{"check constraint [2] on table [1] may refuse what the relay records there",
                                       "[3]"};
// [1] the table, [2] the column, [3] the fix.
inline constexpr Text kNoKey{"column [1].[2] is not the primary key: the relay's writes need it to find their row",
                             "[3]"};
// [1] the table, [2] its type, [3] the fix.
inline constexpr Text kSmallIds{"column [1].id is [2]: when its numbers are used up, every insert is refused", "[3]"};
// [1] the table, [2] the number that was given last, [3] the largest one, [4] the fix.
inline constexpr Text kIdsRunOut{"the ids of table [1] are nearly used up ([2] of [3]): then every insert is refused",
                                 "[4]"};

// [1] the table, [2] the lowest id, [3] the fix.
inline constexpr Text kLowIds{
    "table [1] has rows whose id is below 1, the lowest is [2]: the relay reads ids from 1 on, so it never sends them",
    "[3]"};
// Of the primary key, and bounded: entries of delivered rows at its start are not passed.
inline constexpr const char* kLowIdsSql =
    "select 'error', lowest from (select min(id) as lowest from {event} where id < 1) ids where lowest is not null";

// For the fix, which inserts the rows again with new ids in their order. Whoever pastes it into a client that goes on behind
// an error must lose none of them: each dialect does it as a whole or not at all.
#define OUTBOX_COPIED "event_id, topic, aggregate_id, event_type, payload, headers, created_at{copies}"
#define OUTBOX_LOW_AGAIN                                          \
  "insert into {event} (" OUTBOX_COPIED ") select " OUTBOX_COPIED \
  " from outbox_low where id not in (select id from {event} where id < 1) order by id; "
#define OUTBOX_COPIES \
  " -- Inserts these rows again with new ids, in their order. Add columns of your own to both lists."

// What follows, for the columns above.
#define OUTBOX_INSERTERS "the emit function, `emit` and `dead requeue`"
#define OUTBOX_CANNOT_DELETE "while a row is referred to, it cannot be removed after its delivery"
#define OUTBOX_CASCADES "each event that is delivered deletes rows there"
#define OUTBOX_CHANGES "each event that is delivered changes rows there"

}  // namespace outbox::sql
