// The interfaces that the author of an adapter implements, and the macros that turn the class into a plugin.
//
//   class Mine : public outbox::StorageAdapter { ... };
//   OUTBOX_REGISTER_ADAPTER(Mine, "mine", "1.0.0", OUTBOX_CAN_ORDER_KEYS)
//
// One object of the class is one session, which is one connection. The relay creates two or three of them, and destroys
// them, at any time. The constructor connects. It may take a second argument, const outbox::Call&, which contains the
// timeout.
//
// Thread: any, but never two calls at once for the same object, except Cancel.
//
// Errors: every function, and the constructor, may throw outbox::Error, whose code decides what the relay does next
// (see outbox_code in plugin.h). Any other exception is converted to OUTBOX_INTERNAL.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "outbox/batch.hpp"
#include "outbox/ext/admin.h"
#include "outbox/ext/columns.h"
#include "outbox/ext/emit.h"
#include "outbox/ext/leases.h"
#include "outbox/ext/poison.h"
#include "outbox/ext/schema.h"
#include "outbox/ext/stats.h"
#include "outbox/ext/testing.h"
#include "outbox/ext/wakeup.h"

namespace outbox {

// The circumstances of the call that is running.
struct Call {
  // The shard that the call concerns.
  std::uint32_t shard = 0;
  // The token of the shard's lease (outbox.leases/1). If the adapter marks rows instead of leasing shards, it is 0 in
  // ReserveNewEvents, and the token of the batch in ConfirmFailed and Release. It is always 0 in ConfirmEvent.
  std::uint64_t token = 0;
  // Upper limit for the duration of the whole call.
  Millis timeout{0};
};

// A connection of a relay to the database. plugin.h describes the functions in more detail, under the names
// reserve_new_events, confirm_event, confirm_failed, release_events and cancel.
class StorageAdapter {
 public:
  virtual ~StorageAdapter() = default;
  StorageAdapter() = default;
  StorageAdapter(const StorageAdapter&) = delete;
  StorageAdapter& operator=(const StorageAdapter&) = delete;

  // Adds to `batch` committed events that are due, in ascending order per key, until Add returns false because the
  // batch is full. Adding none is not an error. No other relay receives the events for request.reserve_duration(), by
  // the database's clock. An adapter that marks rows marks only the rows by which batch.size() has grown, because Add
  // returns true also for an outstanding row, which it skips.
  virtual void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) = 0;
  // Removes rows for good: Kafka has acknowledged their events. Idempotent, and never refused because of a stale token.
  // A row is removed only if both its row id and its event id match; all others are skipped. Rows that still exist
  // after the commit, although their removal was not refused, are added to `kept`.
  //
  // Errors: throws Error(OUTBOX_REFUSED, ...) if the database refuses to remove one of the rows.
  virtual void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) = 0;
  // Records all of the failures or none. Each failure counts as one attempt. Depending on its disposition, a row is due
  // again after retry_after, blocks its key, or moves to the dead letters; or it was delivered and cannot be removed,
  // in which case it is never reserved again and its key goes on.
  //
  // Errors: throws Error(OUTBOX_LEASE_LOST, ...) and changes nothing if call().token is stale.
  virtual void ConfirmFailed(Failures failures) = 0;
  // Releases rows that were not sent: any relay may reserve them at once, and no attempt is counted. Only adapters that
  // mark rows implement it. A row that does not exist is skipped.
  //
  // Errors: throws Error(OUTBOX_LEASE_LOST, ...) and changes nothing if call().token is stale.
  virtual void Release(RowIds) {}
  // Makes the call that is running return soon, with OUTBOX_CANCELLED. Thread: any, also while another function runs.
  virtual void Cancel() noexcept {}

  // Returns the circumstances of the call that is running; the reference is valid until the call returns.
  [[nodiscard]] const Call& call() const { return call_; }
  // Sets call(). Only outbox/detail/trampolines.hpp calls it, before each call.
  void Begin(const Call& call) { call_ = call; }

 private:
  Call call_;
};

// The interfaces below are optional. An adapter derives from those that it implements, in addition to StorageAdapter.
// Each interface corresponds to an extension of the ABI: the header of the same name in outbox/ext/ describes its
// functions in detail.

// The result of a heartbeat.
struct Lease {
  // Number of shards of the outbox, and number of live relays.
  std::uint32_t shards_total = 1, live_relays = 1;
  // Time for which the leases of the owned shards last, by the database's clock, counted from the start of the call.
  Millis left{0};
  // The shards that the relay owns now; empty for a standby.
  std::vector<outbox_owned_shard> owned;
  // Number of other live relays whose id is the same up to the last '#'; 0 if they are not counted.
  std::uint32_t namesakes = 0;
};
// outbox.leases/1: several relays divide the shards of the outbox among themselves.
class Leases {
 public:
  virtual ~Leases() = default;
  // Registers the relay, renews its leases for `lease`, takes free shards up to the relay's share, and returns the
  // shards that it owns. Errors: OUTBOX_UNSUPPORTED if this store leases no shards.
  virtual Lease Heartbeat(std::string_view relay_id, Millis lease) = 0;
  // Releases the shards whose tokens are still valid, and skips the others. `deregister` is true if the relay stops.
  virtual void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards,
                             bool deregister) = 0;
};

// outbox.poison/1: identifies an event that crashes every relay that sends it. The functions concern call().shard.
//
// Errors: OUTBOX_LEASE_LOST if call().token is stale.
class Poison {
 public:
  virtual ~Poison() = default;
  // Returns true if an owner of the shard let its lease expire and no owner since then has removed the mark.
  virtual bool WasLost() = 0;
  // Records durably that the relay is about to send the event of this row and no other event. Returns how many
  // consecutive owners of the shard, including the present one, have marked the row. If `row` is absent, removes the
  // mark; the shard then no longer counts as lost.
  virtual std::uint32_t Mark(std::optional<RowId> row) = 0;
};

// outbox.wakeup/1: notifies the relay that rows may have been committed.
class WakeUp {
 public:
  virtual ~WakeUp() = default;
  // Waits for a notification. Returns false if none arrived within call().timeout, which is not an error.
  virtual bool Wait() = 0;
};

// outbox.emit/1: inserts events, for `outbox-relay emit` and the contract tests.
class Emit {
 public:
  virtual ~Emit() = default;
  // Begins a transaction.
  virtual void BeginEmit() = 0;
  // Inserts the events in the given order, within the transaction. An empty event_id gets the default of its column.
  // Errors: OUTBOX_BAD_DATA if an event cannot be stored.
  virtual void Insert(Events events) = 0;
  // Commits the transaction, or rolls it back.
  virtual void EndEmit(bool commit) = 0;
};

// A column of the rows, as outbox_column describes it.
struct Column {
  // The name of the column, and its type as the database writes it.
  std::string name, type;
  // An OUTBOX_COLUMN_... value, and an OUTBOX_ROLE_... value.
  std::int32_t kind = OUTBOX_COLUMN_TEXT, role = OUTBOX_ROLE_NONE;
  bool nullable = true;
  // Number of digits after the decimal point, or of the fraction of a second; -1 = the type does not define it.
  std::int32_t scale = -1;
};
// outbox.columns/1: describes the columns that rows carry beside the fields of an event.
class Columns {
 public:
  virtual ~Columns() = default;
  // Returns the columns in the order of Event::columns; none = rows carry no columns.
  virtual std::vector<Column> DescribeColumns() = 0;
  // Checks that the object which inserts the rows, such as a trigger, is still in place. Errors: OUTBOX_BAD_CONFIG if
  // the object is missing or different; the text says how to correct that.
  virtual void VerifySource() {}
  // Returns the columns of any table, which is "name" or "schema.name"; none = the table does not exist.
  virtual std::vector<Column> ColumnsOf(std::string_view /*table*/) {
    throw Error(OUTBOX_UNSUPPORTED, "this storage cannot describe the columns of a table");
  }
};

// The schema that ApplySchema must establish.
struct SchemaOptions {
  // Number of shards; 0 = keep the present number, which is 1 for a new outbox.
  std::uint32_t shards = 0;
  // Type of the payload column; "" = the default of the database.
  std::string payload;
  // True if the database objects that WakeUp::Wait() needs must exist; false if they must not exist.
  bool wake_up = false;
  // True if payloads of stored events may be converted. If it is false, ApplySchema throws OUTBOX_BAD_CONFIG when a
  // change requires a conversion.
  bool rewrite_events = false;
  // True if ApplySchema must do nothing but remove the object that copies the rows of the application's table, such as
  // a trigger.
  bool remove_capture = false;
};
// One result of CheckSchema.
struct Finding {
  // True = an error. False = a warning, unless `note` is true.
  bool error = true;
  // The problem, and its fix as SQL or as a sentence. `fix` may be empty.
  std::string what, fix;
  // True = neither an error nor a warning: the finding reports a fact, or names data that this user lacks the privilege
  // to read.
  bool note = false;
};
// outbox.schema/1: creates, upgrades and checks the tables.
//
// REQUIRES: the adapter A also has a function  static std::string PrintSchema(const Shared&, const SchemaOptions&)
// which returns the statements that create or upgrade the schema, without a connection. Shared is the second argument
// of OUTBOX_REGISTER_SHARED_ADAPTER.
class Schema {
 public:
  virtual ~Schema() = default;
  // Creates the missing tables and changes those that differ from the options. A second call changes nothing.
  virtual void ApplySchema(const SchemaOptions& options) = 0;
  // Returns the changes that ApplySchema would make, as phrases for people. Changes nothing.
  virtual std::vector<std::string> PlanSchema(const SchemaOptions&) { return {}; }
  // Examines the tables and returns the findings. Changes nothing. A problem of the schema is returned as a finding,
  // not thrown.
  virtual std::vector<Finding> CheckSchema() = 0;
};

// A shard and its owner.
struct ShardHolder {
  std::uint32_t shard = 0;
  // The token of the last lease.
  std::uint64_t token = 0;
  // The owner; absent = the shard is free.
  std::optional<std::string> relay_id;
  // Time until the lease expires; below 0 = it has expired.
  Millis expires_in{0};
};
// How precise a count is: estimated, exact, or a lower bound.
enum class Precision : std::uint32_t {
  kEstimate = OUTBOX_COUNT_ESTIMATE,
  kExact = OUTBOX_COUNT_EXACT,
  kAtLeast = OUTBOX_COUNT_AT_LEAST,
};
// The numbers that `outbox-relay status` shows; outbox_stats describes them.
struct Statistics {
  // Numbers of events. `backlog` counts all rows of the outbox; `undeletable` events were delivered and cannot be
  // removed.
  std::uint64_t backlog = 0, retrying = 0, blocked = 0, dead = 0, undeletable = 0;
  Precision backlog_precision = Precision::kExact;
  // Age of the oldest event that is neither blocked nor queued behind a blocked one; -1 = there is none, or it is
  // unknown.
  Millis oldest_age{-1};
  std::uint32_t shards_total = 1, shards_owned = 0, live_relays = 0;
  std::vector<ShardHolder> holders;
};
// outbox.stats/1: counts events, shards and relays.
class Stats {
 public:
  virtual ~Stats() = default;
  // Returns the counts, and the owner of each leased shard.
  virtual Statistics ReadStats() = 0;
};

// Selects the events to list, as outbox_query does.
struct Query {
  // An OUTBOX_FROM_... value.
  std::uint32_t from = OUTBOX_FROM_OUTBOX;
  // Only rows above `after` and below `before`; absent = no limit.
  std::optional<RowId> after = {}, before = {};
  // Only events with this key, and with this event id; absent = any.
  Bytes key = {}, event_id = {};
  // Upper limit for the number of events.
  std::uint32_t max = 1;
  // True if payload and headers are requested too.
  bool contents = false;
  // A pattern of the topic, in which * stands for any number of bytes. Events with other topics may be left out.
  Bytes topic = {};
};
// An event with its state, as outbox_record describes it. Views: they are valid until Found returns.
struct Record {
  Event event;
  // Size in bytes of a payload that is left out; -1 = the record is a tombstone.
  std::int64_t payload_size = -1;
  // An OUTBOX_STATE_... value.
  std::int32_t state = OUTBOX_STATE_WAITING;
  // The shard of an event in the outbox.
  std::uint32_t shard = 0;
  // Times in microseconds since 1970 UTC; 0 = none or unknown. `now_us` is the current time by the database's clock.
  std::int64_t now_us = 0, first_failed_us = 0, last_failed_us = 0, next_try_us = 0;
  // The cause of the event's last failure, as a short word and as a text for people; absent = it has not failed.
  Bytes reason, error;
};
// outbox.admin/1: functions for operators. Row ids that do not exist, or whose event is in another state, are skipped.
// Each function except List returns the number of events that were changed.
//
// Errors: the functions that are not overridden throw OUTBOX_UNSUPPORTED.
class Admin {
 public:
  // Receives a record. Returns false if no more records are wanted.
  using Found = std::function<bool(const Record&)>;
  virtual ~Admin() = default;
  // Calls found() for each event that the query selects, in ascending order of row ids, until found() returns false. An
  // adapter need not count the events or compare their keys: found() returns false at query.max, and skips events with
  // another key.
  virtual void List(const Query& query, const Found& found) = 0;
  // Inserts dead letters into the outbox again, each behind all events of its key.
  virtual std::uint64_t Requeue(RowIds) { throw Cannot("keeps no dead letters that could be requeued"); }
  // Removes dead letters for good.
  virtual std::uint64_t Discard(RowIds) { throw Cannot("keeps no dead letters that could be discarded"); }
  // Removes blocked events for good; their keys go on without them.
  virtual std::uint64_t DiscardBlocked(RowIds) { throw Cannot("cannot discard blocked events"); }
  // Makes blocked and retrying events due now, and resets their attempts to 1.
  virtual std::uint64_t RetryNow(RowIds) { throw Cannot("cannot make failed events due"); }
  // Tries again to remove the rows of events that were recorded as delivered. If no rows are given, it selects some
  // events whose removal is due. The removal of rows that remain is due again after `again`. Returns the number of rows
  // that are gone.
  virtual std::uint64_t RemoveDelivered(RowIds, Millis /*again*/) {
    throw Cannot("keeps no record of delivered events");
  }

 private:
  static Error Cannot(const char* what) { return {OUTBOX_UNSUPPORTED, std::string("this storage ") + what}; }
};

// The state of an event, for a test.
struct TestState {
  // An OUTBOX_STATE_... value.
  std::int32_t state = OUTBOX_STATE_ABSENT;
  std::uint32_t attempts = 0;
};
// outbox.testing/1: functions that the contract tests need in addition to Emit. The daemon never calls them.
class Testing {
 public:
  virtual ~Testing() = default;
  // Empties the outbox: afterwards it has no row, no lease and no poison mark.
  virtual void Reset() = 0;
  // Lets all leases and all marks on rows expire, as if time had passed. Marks keep their tokens.
  virtual void ExpireLeases() = 0;
  // Makes all retries due, as if time had passed.
  virtual void MakeRetriesDue() = 0;
  // Returns the state of the event and the number of its failed attempts.
  virtual TestState StateOf(std::string_view event_id) = 0;
};

// The object that the sessions of a store share if the author defines no class for it. It holds the options and writes
// to the relay's log. One object exists per store. Thread: any.
class Options {
 public:
  // `host` is used by Log; nullptr = Log does nothing. REQUIRES: *host lives as long as this object.
  Options(std::string json_object, const outbox_host* host) : json(std::move(json_object)), host_(host) {}
  // The JSON object that the relay's configuration has under storage.options.
  const std::string json;
  // Writes a line to the relay's log. `level` is an OUTBOX_LOG_... value. The text must not contain a payload or a
  // secret.
  void Log(int level, std::string_view text) const {
    if (host_ != nullptr && host_->log != nullptr) host_->log(host_->ctx, level, text.data(), text.size());
  }

 private:
  const outbox_host* host_;
};

}  // namespace outbox

#include "outbox/detail/trampolines.hpp"

// Makes a plugin of the adapter A. For each session an A is constructed with std::shared_ptr<outbox::Options>. `name`
// is the name in the file name outbox-<name>.so, and `capabilities` are OUTBOX_CAN_... values, combined by |.
#define OUTBOX_REGISTER_ADAPTER(A, name, version, capabilities) \
  OUTBOX_REGISTER_SHARED_ADAPTER(A, outbox::Options, name, version, capabilities)

// Makes a plugin of the adapter A, whose sessions share an object of the class S. The S is constructed once per store,
// with (std::string json, const outbox_host*). For each session an A is constructed with std::shared_ptr<S>.
//
// REQUIRES: the constructor of S does no I/O, and S can be used by several threads at once.
#define OUTBOX_REGISTER_SHARED_ADAPTER(A, S, name, version, capabilities)  \
  extern "C" OUTBOX_EXPORT const outbox_plugin* outbox_plugin_v1(void) {   \
    return outbox::detail::PluginTable<A, S>(name, version, capabilities); \
  }
