// What an adapter author implements, and the macro that makes a plugin of it.
//
//   class Mine : public outbox::StorageAdapter { ... };
//   OUTBOX_REGISTER_ADAPTER(Mine, "mine", "1.0.0", OUTBOX_CAN_ORDER_KEYS)
//
// One object is one session, that is one connection: the relay never makes two calls at once on it (except
// Cancel), and opens two or three. The constructor connects and may throw outbox::Error; it may take a second
// argument, const outbox::Call&, to learn the timeout.
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

// Of the call under way.
struct Call {
  std::uint32_t shard = 0;
  // Of the lease of the shard (outbox.leases/1). Where rows are marked it is 0 when rows are reserved, and the token of the
  // batch in ConfirmFailed and Release. ConfirmEvent is called with 0 in any case.
  std::uint64_t token = 0;
  Millis timeout{0};  // bound on the whole call
};

class StorageAdapter {
 public:
  virtual ~StorageAdapter() = default;
  StorageAdapter() = default;
  StorageAdapter(const StorageAdapter&) = delete;
  StorageAdapter& operator=(const StorageAdapter&) = delete;

  // Committed events that are due, ascending per key, added until Add says that the batch is full. Adding
  // nothing is fine. Nobody else is given them for request.reserve_duration(), by the database's clock. An adapter that
  // marks rows marks those by which batch.size() has grown: Add skips what the relay holds, and returns true.
  virtual void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) = 0;
  // Kafka has them: remove them for good. Idempotent; never refused for a stale token. A row is meant only where its id
  // and its event id fit. What is still there after the commit, though it was not refused, goes into `kept`. Where the
  // database refuses to remove one of them: throw Error(OUTBOX_REFUSED, ...).
  virtual void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) = 0;
  // Each counts one attempt and is due again after retry_after, blocks its key, moves to the dead letters, or is
  // delivered and cannot be removed: then it is never reserved again, and its key goes on.
  // All or nothing. Under a stale call().token: throw Error(OUTBOX_LEASE_LOST, ...) and change nothing.
  virtual void ConfirmFailed(Failures failures) = 0;
  // Given back unsent: due for anybody at once, no attempt counted. Only for adapters that mark rows. A row that is gone
  // is passed over; a stale call().token is refused as in ConfirmFailed.
  virtual void Release(RowIds) {}
  // Any thread: make the call under way return soon (OUTBOX_CANCELLED).
  virtual void Cancel() noexcept {}

  [[nodiscard]] const Call& call() const { return call_; }
  void Begin(const Call& call) { call_ = call; }  // by the trampolines, before each call

 private:
  Call call_;
};

// The abilities below are optional: derive from those that the adapter has, next to StorageAdapter.

struct Lease {
  std::uint32_t shards_total = 1, live_relays = 1;
  Millis left{0};
  std::vector<outbox_owned_shard> owned;
  std::uint32_t namesakes = 0;  // live relays with the same name before the last '#' of the id; 0 where not counted
};
class Leases {  // outbox.leases/1
 public:
  virtual ~Leases() = default;
  virtual Lease Heartbeat(std::string_view relay_id, Millis lease) = 0;
  virtual void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards,
                             bool deregister) = 0;
};

// Of the shard and under the token of call().
class Poison {  // outbox.poison/1
 public:
  virtual ~Poison() = default;
  virtual bool WasLost() = 0;
  virtual std::uint32_t Mark(std::optional<RowId> row) = 0;  // absent = forget the mark, and that it was lost
};

class WakeUp {  // outbox.wakeup/1
 public:
  virtual ~WakeUp() = default;
  virtual bool Wait() = 0;  // false = nothing within call().timeout
};

class Emit {  // outbox.emit/1
 public:
  virtual ~Emit() = default;
  virtual void BeginEmit() = 0;
  virtual void Insert(Events events) = 0;  // event_id.empty() = the column's default
  virtual void EndEmit(bool commit) = 0;
};

struct Column {
  std::string name, type;
  std::int32_t kind = OUTBOX_COLUMN_TEXT, role = OUTBOX_ROLE_NONE;
  bool nullable = true;
  std::int32_t scale = -1;
};
class Columns {  // outbox.columns/1
 public:
  virtual ~Columns() = default;
  // In the order of Event::columns.
  virtual std::vector<Column> DescribeColumns() = 0;
  // Throws OUTBOX_BAD_CONFIG where what brings the rows is not in place any more, saying how to correct it.
  virtual void VerifySource() {}
  // Of any table, "name" or "schema.name"; empty = there is none.
  virtual std::vector<Column> ColumnsOf(std::string_view /*table*/) {
    throw Error(OUTBOX_UNSUPPORTED, "this storage cannot be asked for the columns of a table");
  }
};

struct SchemaOptions {
  std::uint32_t shards = 0;  // 0 = keep, 1 for a new outbox
  std::string payload;       // "" = the database's default
  bool wake_up = false;      // what Wait() needs
  // May payloads of stored events be converted? Otherwise ApplySchema throws OUTBOX_BAD_CONFIG where it would have to.
  bool rewrite_events = false;
  // Take away what copies the rows of the application's table, and do nothing else.
  bool remove_capture = false;
};
struct Finding {
  bool error = true;
  std::string what, fix;
  bool note = false;  // neither an error nor a warning: what was found, or what this user cannot look at
};
// outbox.schema/1; needs also  static std::string A::PrintSchema(const Shared&, const SchemaOptions&).
class Schema {
 public:
  virtual ~Schema() = default;
  virtual void ApplySchema(const SchemaOptions& options) = 0;
  // What ApplySchema would change, as phrases for people. Changes nothing.
  virtual std::vector<std::string> PlanSchema(const SchemaOptions&) { return {}; }
  virtual std::vector<Finding> CheckSchema() = 0;
};

struct ShardHolder {
  std::uint32_t shard = 0;
  std::uint64_t token = 0;
  std::optional<std::string> relay_id;
  Millis expires_in{0};
};
// What a count is.
enum class Precision : std::uint32_t {
  kEstimate = OUTBOX_COUNT_ESTIMATE,
  kExact = OUTBOX_COUNT_EXACT,
  kAtLeast = OUTBOX_COUNT_AT_LEAST,
};
struct Statistics {
  std::uint64_t backlog = 0, retrying = 0, blocked = 0, dead = 0, undeletable = 0;
  Precision backlog_precision = Precision::kExact;
  Millis oldest_age{-1};  // of events that are neither blocked nor queued behind a blocked one; -1 = none, or not known
  std::uint32_t shards_total = 1, shards_owned = 0, live_relays = 0;
  std::vector<ShardHolder> holders;
};
class Stats {  // outbox.stats/1
 public:
  virtual ~Stats() = default;
  virtual Statistics ReadStats() = 0;
};

struct Query {
  std::uint32_t from = OUTBOX_FROM_OUTBOX;
  std::optional<RowId> after = {}, before = {};  // both excluded
  Bytes key = {}, event_id = {};
  std::uint32_t max = 1;
  bool contents = false;  // with payload and headers
  Bytes topic = {};       // pattern, * = any bytes; events of other topics may be left out
};
struct Record {
  Event event;
  std::int64_t payload_size = -1;  // of a payload that is left out; -1 = tombstone
  std::int32_t state = OUTBOX_STATE_WAITING;
  std::uint32_t shard = 0;
  std::int64_t now_us = 0, first_failed_us = 0, last_failed_us = 0, next_try_us = 0;
  Bytes reason, error;
};
// outbox.admin/1. Row ids that are not there, or in another state, are passed over; the answer is how many were not.
class Admin {
 public:
  using Found = std::function<bool(const Record&)>;
  virtual ~Admin() = default;
  // Ascending by row id, until found() says that it is enough. It knows query.max, and passes over other keys.
  virtual void List(const Query& query, const Found& found) = 0;
  virtual std::uint64_t Requeue(RowIds) { throw Cannot("keeps no dead letters that could be requeued"); }
  virtual std::uint64_t Discard(RowIds) { throw Cannot("keeps no dead letters that could be discarded"); }
  virtual std::uint64_t DiscardBlocked(RowIds) { throw Cannot("cannot discard blocked events"); }
  virtual std::uint64_t RetryNow(RowIds) { throw Cannot("cannot make failed events due"); }
  // Of those that were recorded as delivered; no rows = some of those that are due. What stays is due again after `again`.
  virtual std::uint64_t RemoveDelivered(RowIds, Millis /*again*/) {
    throw Cannot("keeps no record of delivered events");
  }

 private:
  static Error Cannot(const char* what) { return {OUTBOX_UNSUPPORTED, std::string("this storage ") + what}; }
};

struct TestState {
  std::int32_t state = OUTBOX_STATE_ABSENT;
  std::uint32_t attempts = 0;
};
class Testing {  // outbox.testing/1
 public:
  virtual ~Testing() = default;
  virtual void Reset() = 0;
  virtual void ExpireLeases() = 0;
  virtual void MakeRetriesDue() = 0;
  virtual TestState StateOf(std::string_view event_id) = 0;
};

// What the sessions of one store share where the author says nothing else: the options, and the relay's log.
class Options {
 public:
  Options(std::string json_object, const outbox_host* host) : json(std::move(json_object)), host_(host) {}
  const std::string json;  // the plugin's own "options" of the config
  void Log(int level, std::string_view text) const {
    if (host_ != nullptr && host_->log != nullptr) host_->log(host_->ctx, level, text.data(), text.size());
  }

 private:
  const outbox_host* host_;
};

}  // namespace outbox

#include "outbox/detail/trampolines.hpp"

// A is constructed with std::shared_ptr<outbox::Options>.
#define OUTBOX_REGISTER_ADAPTER(A, name, version, capabilities) \
  OUTBOX_REGISTER_SHARED_ADAPTER(A, outbox::Options, name, version, capabilities)

// For adapters whose sessions share something: S is constructed once a store, with (std::string json, const
// outbox_host*), must be safe for several threads, and does no I/O; A is constructed with std::shared_ptr<S>.
#define OUTBOX_REGISTER_SHARED_ADAPTER(A, S, name, version, capabilities)  \
  extern "C" OUTBOX_EXPORT const outbox_plugin* outbox_plugin_v1(void) {   \
    return outbox::detail::PluginTable<A, S>(name, version, capabilities); \
  }
