// What `migrate` plans, applies and prints: the steps that lead to the tables of this version, in an order and a wording that
// every database shares. A dialect derives from Migration, and brings its statements and how they are run.
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

// Statements are without a semicolon at their end, and have the places {event}, ..., [name] (of the outbox, as text),
// [version] and [shards] (at least 1).
struct MigrationDialect {
  SchemaDialect changes;
  std::span<const std::string_view> payloads;  // types of the payload that an operator may ask for
  std::string_view other_payload;              // the error for any other, with the place [payload]
  bool (*is_id)(const std::string& type);      // may the outbox's id be of this type?
  std::string_view first_meta;                 // inserts the row of the meta table, unless there is one
  std::string_view add_shards;   // inserts the rows of {shard} that are missing up to the number in {meta}
  std::string_view other_owner;  // condition: the column outbox is not '[name]', or NULL
};

inline constexpr std::string_view kDropShards = "delete from {shard} where shard >= (select shards from {meta})";

// Throws OUTBOX_BAD_CONFIG for what is not possible.
void CheckOptions(const MigrationDialect& dialect, const SchemaOptions& options);
// `sql` with the places filled.
[[nodiscard]] std::string Filled(const Tables& t, const SchemaOptions& options, std::string_view sql);
// Last: a relay reads the version to see whether all of the upgrade is there.
[[nodiscard]] std::string RecordVersion(const MigrationDialect& dialect);
// The rows of {meta} and {shard} for a script, which cannot ask whether a relay runs.
[[nodiscard]] std::vector<std::string> PrintedRows(const MigrationDialect& dialect, const SchemaOptions& options);
// The statements, each with a semicolon and a line break behind it.
[[nodiscard]] std::string Script(const std::vector<std::string>& statements);

// For one call of migrate. Thread: that of the session.
class Migration {
 public:
  virtual ~Migration() = default;
  Migration(const Migration&) = delete;
  Migration& operator=(const Migration&) = delete;

  // Phrases for people, of what Apply() would change.
  [[nodiscard]] std::vector<std::string> Plan();
  // Gives Change() the steps in this order: Before(), the tables, the row of the meta table, the shards, After(), the version.
  //
  // Errors: both throw OUTBOX_BAD_CONFIG, before anything is changed, for options that are not possible, where the table of
  // the outbox's name is no outbox, or where the companions' names are taken by another outbox or by something else.
  void Apply();

 protected:
  // What the database has; changed by steps that come before those of the tables.
  struct Existing {
    FoundTables found;
    Meta meta;
  };

  // REQUIRES: `tables`, `options` and both dialects outlive this.
  Migration(Statements& db, const Tables& tables, const SchemaOptions& options, const Catalogue& catalogue,
            const Dialect& fragments, const MigrationDialect& dialect)
      : db_(db), t_(tables), options_(options), catalogue_(catalogue), fragments_(fragments), dialect_(dialect) {}

  // As this version wants them beside those that are found. The first is the outbox itself.
  [[nodiscard]] virtual std::vector<Table> Wanted(const FoundTables& found) = 0;
  // What comes before the tables, and what comes behind the shards. Before() adds to `existing` what its steps make, so that
  // the steps of the tables do not make it again.
  [[nodiscard]] virtual std::vector<Step> Before(Existing& /*existing*/) { return {}; }
  [[nodiscard]] virtual std::vector<Step> After(const Existing& /*existing*/) { return {}; }
  // Brings the rows of {shard} to their number. Throws OUTBOX_BAD_CONFIG where that changes while a relay runs.
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
    std::vector<Step> before, after;  // the change of the shards
    std::string shards;               // what that is, for people; "" = nothing
  };
  [[nodiscard]] Steps AllSteps();

  const Catalogue catalogue_;
  const Dialect& fragments_;
  const MigrationDialect& dialect_;
};

// A change of a table waits for each transaction that uses it, and whoever comes next waits behind the change: an
// application's insert too. So a change waits for a moment only, and is tried again after a pause.
constexpr Millis kLockWait{500};
// Runs `change` until it gets its locks. After about three quarters of `timeout` throws OUTBOX_TIMEOUT; `blocker` may say who
// has the locks.
void TryForLocks(Millis timeout, const std::function<void()>& change, const std::function<std::string()>& blocker);

}  // namespace outbox::sql
