// Texts of the findings about objects and properties that others have added to the tables of the outbox. All databases
// use the same texts; the dialects provide the queries. The comment before each text explains its placeholders [1],
// [2], ...
#pragma once

#include "sql/questions.hpp"

namespace outbox::sql {

// [1] the table, [2] the kind of the object that is in its place, such as "a view", [3] the fix.
inline constexpr Text kDerived{
    "[1] is [2], expected a table: rows that it hides are never sent, and the relay cannot detect transactions that "
    "write to the underlying table",
    "[3]"};
// [1] the table, [2] the trigger, [3] when it runs, [4] the consequence, [5] the fix.
inline constexpr Text kTrigger{"trigger [2] runs [3] on table [1]: [4]", "[5]"};
// [1] the table, [2] the foreign key, [3] the table that has it, [4] the consequence, [5] the fix.
inline constexpr Text kKeyToTable{"foreign key [2] of table [3] refers to table [1]: [4]", "[5]"};
// [1] the table, [2] the foreign key, [3] the table that it refers to, [4] the action on a delete there, [5] the fix.
inline constexpr Text kKeyOfTable{
    "foreign key [2] of table [1] refers to [3] (on delete [4]): a delete there changes or removes rows that were "
    "never sent",
    "[5]"};
// [1] the table, [2] the index, [3] its columns, [4] the fix.
inline constexpr Text kUniqueIndex{
    "unique index [2] on table [1] ([3]): while a row is in the outbox, an insert of another row with the same values "
    "is refused, also by `dead requeue`",
    "[4]"};
// [1] the table, [2] the column, [3] the inserters for which an insert fails, [4] the fix.
inline constexpr Text kUnfilled{"column [1].[2] is NOT NULL and has no default: [3] cannot insert a row", "[4]"};
// [1] the table, [2] the column, [3] the fix.
inline constexpr Text kGenerated{
    "column [1].[2] is generated: the application, `emit` and `dead requeue` cannot insert a value of their own",
    "[3]"};
inline constexpr Text kNullable{
    "column [1].[2] may be NULL: an event without a value in it cannot be recorded as failed or as a dead letter, and "
    "it holds up other events",
    "[3]"};
// [1] the table, [2] the constraint, [3] the fix.
inline constexpr Text kCheckConstraint{"check constraint [2] on table [1] may refuse what the relay records there",
                                       "[3]"};
// [1] the table, [2] the column, [3] the fix.
inline constexpr Text kNoKey{"column [1].[2] is not the primary key: the relay's statements use it to find their rows",
                             "[3]"};
// [1] the table, [2] its type, [3] the fix.
inline constexpr Text kSmallIds{
    "column [1].id is [2]: once the numbers of this type are used up, every insert is refused", "[3]"};
// [1] the table, [2] the last assigned id, [3] the largest possible id, [4] the fix.
inline constexpr Text kIdsRunOut{
    "the ids of table [1] are nearly used up ([2] of [3]): once they are, every insert is refused", "[4]"};

// [1] the table, [2] the lowest id, [3] the fix.
inline constexpr Text kLowIds{
    "table [1] has rows whose id is below 1, the lowest is [2]: the relay reads ids from 1 on, so it never sends them",
    "[3]"};
// Finds the lowest id below 1 with the primary key. The condition on the id bounds the scan, so that it does not pass
// over the index entries of delivered rows.
inline constexpr const char* kLowIdsSql =
    "select 'error', lowest from (select min(id) as lowest from {event} where id < 1) ids where lowest is not null";

// Parts of the fix for low ids, which inserts these rows again with new ids, in their order. An operator may paste the
// fix into a client that continues after an error, and even then no row may be lost. So each dialect runs the fix as a
// whole or not at all.
#define OUTBOX_COPIED "event_id, topic, aggregate_id, event_type, payload, headers, created_at{copies}"
#define OUTBOX_LOW_AGAIN                                          \
  "insert into {event} (" OUTBOX_COPIED ") select " OUTBOX_COPIED \
  " from outbox_low where id not in (select id from {event} where id < 1) order by id; "
#define OUTBOX_COPIES \
  " -- Inserts these rows again with new ids, in their order. Add columns of your own to both lists."

// Texts that replace placeholders of the findings above: the inserters, and consequences of a foreign key.
#define OUTBOX_INSERTERS "the emit function, `emit` and `dead requeue`"
#define OUTBOX_CANNOT_DELETE "while a row is referred to, it cannot be removed after its delivery"
#define OUTBOX_CASCADES "removing a delivered event deletes rows of that table"
#define OUTBOX_CHANGES "removing a delivered event changes rows of that table"

}  // namespace outbox::sql
