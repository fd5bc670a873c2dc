// The part of `migrate` that is the same for every database. It determines the steps that lead to the tables of this
// version, their order and their wording, so that the steps can be planned, applied or printed. Each database derives
// its own class from Migration, and provides the statements and the way to run them.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/dialect.hpp"
#include "sql/schema.hpp"

namespace outbox::sql {

// The statements and values in which databases differ. No statement has a semicolon at its end. The placeholders are
// those of Tables::In, [name] (the name of the outbox, as text), [version] and [shards] (at least 1).
struct MigrationDialect {
  SchemaDialect changes;
  std::span<const std::string_view> payloads;  // the payload types that an operator may ask for
  std::string_view other_payload;              // the error for any other type, with the placeholder [payload]
  bool (*is_id)(const std::string& type);      // returns true if the outbox's id may have this type
  std::string_view first_meta;                 // inserts the row of the meta table unless it exists
  std::string_view add_shards;   // inserts the missing rows of {shard}, up to the number of shards in {meta}
  std::string_view other_owner;  // condition: the column outbox is NULL or differs from '[name]'
};

inline constexpr std::string_view kDropShards = "delete from {shard} where shard >= (select shards from {meta})";

// Checks the options. Errors: throws OUTBOX_BAD_CONFIG if the database does not support one of them.
void CheckOptions(const MigrationDialect& dialect, const SchemaOptions& options);
// Returns `sql` with its placeholders replaced.
[[nodiscard]] std::string Filled(const Tables& t, const SchemaOptions& options, std::string_view sql);
// Returns the statement that records the version. It must run last, because a relay takes the version as the sign that
// the upgrade is complete.
[[nodiscard]] std::string RecordVersion(const MigrationDialect& dialect);
// Returns the statements that fill {meta} and {shard} in a printed script, which cannot check whether a relay runs.
[[nodiscard]] std::vector<std::string> PrintedRows(const MigrationDialect& dialect, const SchemaOptions& options);
// Returns the statements as one text, each followed by a semicolon and a line break.
[[nodiscard]] std::string Script(const std::vector<std::string>& statements);

// Performs one `migrate`. Thread: the thread of the session.
class Migration {
 public:
  virtual ~Migration() = default;
  Migration(const Migration&) = delete;
  Migration& operator=(const Migration&) = delete;

  // Returns the changes that Apply() would make, as phrases for people.
  [[nodiscard]] std::vector<std::string> Plan();
  // Passes all steps to Change(), in this order: the steps from Before(), the tables, the row of the meta table, the
  // shards, the steps from After(), the version.
  //
  // Errors: Plan() and Apply() throw OUTBOX_BAD_CONFIG, before anything is changed, if the options are not possible, if
  // the table with the outbox's name is not an outbox, or if the names of the companion tables are used by another
  // outbox or by something else.
  void Apply();

 protected:
  // The tables and the row of the meta table that exist in the database. Before() adds the results of its own steps.
  struct Existing {
    FoundTables found;
    Meta meta;
  };

  // REQUIRES: `tables`, `options` and both dialects outlive this object.
  Migration(Statements& db, const Tables& tables, const SchemaOptions& options, const Catalogue& catalogue,
            const Dialect& fragments, const MigrationDialect& dialect)
      : db_(db), t_(tables), options_(options), catalogue_(catalogue), fragments_(fragments), dialect_(dialect) {}

  // Returns the tables that this version needs; they may depend on those that were found. The first one is the outbox.
  [[nodiscard]] virtual std::vector<Table> Wanted(const FoundTables& found) = 0;
  // Before() returns the steps before those of the tables, After() the steps after those of the shards. Before() adds
  // to `existing` the objects that its steps create, so that the steps of the tables do not create them again.
  [[nodiscard]] virtual std::vector<Step> Before(Existing& /*existing*/) { return {}; }
  [[nodiscard]] virtual std::vector<Step> After(const Existing& /*existing*/) { return {}; }
  // Returns the statements that add or remove rows of {shard} until their number is right. Errors: throws
  // OUTBOX_BAD_CONFIG if the options change the number while a relay runs.
  [[nodiscard]] virtual std::vector<std::string> ShardStatements();
  // Runs statements that belong together: all of them or none.
  virtual void Change(const std::vector<std::string>& together) = 0;

  [[nodiscard]] std::string In(std::string_view sql) const { return Filled(t_, options_, sql); }

  Statements& db_;
  const Tables& t_;
  const SchemaOptions& options_;

 private:
  [[nodiscard]] Existing Look();
  [[nodiscard]] Meta ReadMeta(const FoundTables& found);
  struct Steps {
    std::vector<Step> before, after;  // the steps before and after the change of the shards
    std::string shards;               // the change of the number of shards, as a phrase for people; "" = no change
  };
  [[nodiscard]] Steps AllSteps();

  const Catalogue catalogue_;
  const Dialect& fragments_;
  const MigrationDialect& dialect_;
};

// Time for which one attempt to change a table waits for the lock of the table. The change must wait for every
// transaction that uses the table, and every later statement then waits for the change, including the inserts of the
// application. So each attempt is short, and is repeated after a pause.
constexpr Millis kLockWait{500};
// Runs `change`, and repeats it until it obtains its locks. Errors: throws OUTBOX_TIMEOUT after about three quarters of
// `timeout`. `blocker` returns a part of the message, which may name the holder of the locks.
void TryForLocks(Millis timeout, const std::function<void()>& change, const std::function<std::string()>& blocker);

}  // namespace outbox::sql
