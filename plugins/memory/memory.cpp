// The reference adapter: an outbox in the memory of the relay, with every extension except outbox.columns/1. Read it
// first if you write an adapter of your own, and copy sdk/template/ to begin with. outbox/adapter.hpp states what each
// function has to do; the comments here say how this adapter does it, and what a database has to consider in addition.
#include <algorithm>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "outbox.hpp"
#include "row_reader.hpp"
#include "shard_reader.hpp"

namespace outbox::memory {
namespace {

std::optional<std::string> Own(const Bytes& bytes) { return bytes ? std::optional<std::string>(*bytes) : std::nullopt; }

// One session of a store. The relay opens several sessions of one store and calls each of them from one thread at a
// time, except Cancel, which may come from any thread. All sessions share one Outbox. Every function locks the mutex of
// that Outbox, as a database would run a transaction, so the changes of one function take effect as a whole.
class Adapter : public StorageAdapter,
                public Leases,
                public Poison,
                public WakeUp,
                public Emit,
                public Schema,
                public Stats,
                public Admin,
                public Testing {
 public:
  explicit Adapter(std::shared_ptr<Outbox> outbox) : outbox_(std::move(outbox)) {
    const std::lock_guard lock(outbox_->mutex);
    seen_ = outbox_->commits;
  }

  // The functions of StorageAdapter. The first three are required. Release is needed only because this adapter can mark
  // rows.

  // Reserves rows. Leased() throws if the shard belongs to another relay by now: the shard's rows must not be read
  // under a stale token. An outbox that marks rows needs no lease of a shard, because each mark is a reservation of its
  // own.
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    const std::lock_guard lock(outbox_->mutex);
    if (outbox_->reserve == Reserve::kRows) return row_reader_.Read(request, batch);
    (void)outbox_->Leased(call());
    shard_reader_.Read(call(), request, batch);
  }

  // Removes each row whose row id and event id both match. A stale token does not prevent the removal, because a row
  // that Kafka has acknowledged must be removed whichever relay owns its shard. A database may refuse to remove a row
  // (a foreign key), or keep it although no error is reported (a trigger). Neither can happen in memory, so this
  // function never throws OUTBOX_REFUSED and never fills the second argument.
  void ConfirmEvent(ConfirmedRows rows, KeptRows&) override {
    const std::lock_guard lock(outbox_->mutex);
    for (const ConfirmedRow row : rows)
      if (const RowNumber id = row.row_id.number(); outbox_->Has(id, row.event_id)) outbox_->Forget(id);
  }

  // Records all failures, or none: Unmark() throws before anything is changed. A failure whose row is gone, or whose
  // row id belongs to another event, is passed over.
  void ConfirmFailed(Failures failures) override {
    const std::lock_guard lock(outbox_->mutex);
    std::vector<RowNumber> there;
    for (const Failure& failure : failures)
      if (const RowNumber id = failure.row_id.number(); outbox_->Has(id, failure.event_id)) there.push_back(id);
    Unmark(there);
    for (const Failure& failure : failures) {
      const RowNumber id = failure.row_id.number();
      if (!outbox_->Has(id, failure.event_id)) continue;
      const auto row = outbox_->rows.find(id);
      Failed& failed = outbox_->failed[id];
      ++failed.attempts;
      failed.blocked = failure.disposition == Disposition::kBlock;
      failed.delivered = failure.disposition == Disposition::kDelivered;
      failed.due = Clock::now() + failure.retry_after;
      failed.last = std::chrono::system_clock::now();
      if (failed.attempts == 1) failed.first = failed.last;
      failed.reason = failure.reason;
      failed.error = failure.text;
      if (failure.disposition != Disposition::kDead) continue;
      outbox_->dead.emplace(id, Dead{std::move(row->second), std::move(failed)});
      outbox_->Forget(id);
    }
  }

  // Frees the rows for every relay at once, without counting an attempt. A row that is gone is passed over.
  void Release(RowIds ids) override {
    const std::lock_guard lock(outbox_->mutex);
    std::vector<RowNumber> there;
    for (const RowId& id : ids)
      if (outbox_->rows.contains(id.number())) there.push_back(id.number());
    Unmark(there);
  }

  // Ends the Wait() that is under way or, if there is none, the next one. No other function blocks.
  void Cancel() noexcept override {
    const std::lock_guard lock(outbox_->mutex);
    cancelled_ = true;
    outbox_->committed.notify_all();
  }

  // The functions of outbox.leases/1. A plugin has one set of extensions, but the options of a store decide whether
  // shards are leased. If shards are not leased, Heartbeat answers OUTBOX_UNSUPPORTED, and the relay delivers shard 0
  // without a lease.

  Lease Heartbeat(std::string_view relay_id, Millis duration) override {
    if (outbox_->reserve == Reserve::kRows)
      throw Error(OUTBOX_UNSUPPORTED, "this outbox marks rows and leases no shards");
    const std::lock_guard lock(outbox_->mutex);
    return outbox_->Heartbeat(std::string(relay_id), duration);
  }

  void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> returned,
                     bool deregister) override {
    const std::lock_guard lock(outbox_->mutex);
    outbox_->ReleaseShards(relay_id, returned, deregister);
  }

  // The functions of outbox.poison/1. Both are fenced: Leased() throws if the token of the call is stale.

  bool WasLost() override {
    const std::lock_guard lock(outbox_->mutex);
    return outbox_->Leased(call()).lost;
  }

  std::uint32_t Mark(std::optional<RowId> row) override {
    const std::lock_guard lock(outbox_->mutex);
    return outbox_->Leased(call()).MarkSuspect(row ? std::optional(row->number()) : std::nullopt);
  }

  // The function of outbox.wakeup/1. The count of commits is compared with the count at the last wake-up, so a commit
  // between two calls ends the next call at once. The relay calls Wait on a session of its own.

  bool Wait() override {
    std::unique_lock lock(outbox_->mutex);
    outbox_->committed.wait_for(lock, call().timeout, [&] { return cancelled_ || outbox_->commits != seen_; });
    if (std::exchange(cancelled_, false)) throw Error(OUTBOX_CANCELLED, "the wait was cancelled");
    return std::exchange(seen_, outbox_->commits) != outbox_->commits;
  }

  // The functions of outbox.emit/1. Inserted rows stay in this session until they are committed, so no other session
  // can read uncommitted rows.

  void BeginEmit() override { uncommitted_.clear(); }

  void Insert(Events events) override {
    const std::lock_guard lock(outbox_->mutex);
    for (const Event& e : events)
      uncommitted_.push_back({e.event_id.empty() ? outbox_->NewEventId() : std::string(e.event_id), Own(e.aggregate_id),
                              std::string(e.event_type), std::string(e.topic), Own(e.payload), Own(e.headers),
                              std::chrono::system_clock::now()});
  }

  void EndEmit(bool commit) override {
    const std::lock_guard lock(outbox_->mutex);
    const auto rows = std::exchange(uncommitted_, {});
    if (!commit || rows.empty()) return;
    for (const Row& row : rows) outbox_->Add(row);
    ++outbox_->commits;
    outbox_->committed.notify_all();
  }

  // The functions of outbox.schema/1. There are no tables, so only the number of shards can be set. It may change only
  // while no relay is live: the number determines to which shard a key belongs, and two relays that know different
  // numbers would deliver the same key at the same time.

  static std::string PrintSchema(const Outbox&, const SchemaOptions&) { return "-- memory has no tables\n"; }

  void ApplySchema(const SchemaOptions& options) override {
    const std::lock_guard lock(outbox_->mutex);
    if (options.shards == 0 || options.shards == outbox_->shards.size()) return;
    if (outbox_->reserve == Reserve::kRows)
      throw Error(
          OUTBOX_BAD_CONFIG,
          "options: \"reserve\": \"rows\" allows one shard, which all relays read; for more, set it to \"shard\"");
    outbox_->DropExpiredRelays({});
    if (!outbox_->relays.empty())
      throw Error(OUTBOX_BAD_CONFIG, "the number of shards can be changed only while no relay runs; stop all relays");
    outbox_->shards.resize(options.shards);
  }

  std::vector<Finding> CheckSchema() override { return {}; }

  // The function of outbox.stats/1. Every count is exact here; a database can report another
  // Statistics::backlog_precision.

  Statistics ReadStats() override {
    const std::lock_guard lock(outbox_->mutex);
    Statistics stats;
    stats.backlog = outbox_->rows.size();
    for (const auto& [id, failed] : outbox_->failed)
      ++(failed.delivered ? stats.undeletable : failed.blocked ? stats.blocked : stats.retrying);
    stats.dead = outbox_->dead.size();
    if (const Row* oldest = OldestUnblocked())
      stats.oldest_age = std::chrono::duration_cast<Millis>(std::chrono::system_clock::now() - oldest->created);

    const auto now = Clock::now();
    for (const auto& [relay, lease_ends] : outbox_->relays) stats.live_relays += lease_ends > now ? 1 : 0;
    stats.shards_total = static_cast<std::uint32_t>(outbox_->shards.size());
    if (outbox_->reserve == Reserve::kRows) {
      stats.shards_owned = std::min(stats.live_relays, stats.shards_total);
      return stats;
    }
    for (std::uint32_t i = 0; i < outbox_->shards.size(); ++i) {
      const Shard& shard = outbox_->shards[i];
      ShardHolder& holder = stats.holders.emplace_back();
      holder.shard = i;
      holder.token = shard.token;
      const auto owner = outbox_->relays.find(shard.owner);
      if (owner == outbox_->relays.end()) continue;
      holder.relay_id = shard.owner;
      holder.expires_in = std::chrono::duration_cast<Millis>(owner->second - now);
      stats.shards_owned += holder.expires_in.count() > 0 ? 1 : 0;
    }
    return stats;
  }

  // The functions of outbox.admin/1. A function that changes rows passes over rows that do not exist or are in another
  // state, and returns the number of rows that it has changed.

  void List(const Query& query, const Found& found) override {
    const std::lock_guard lock(outbox_->mutex);
    const auto show = [&](RowNumber id, const Row& row, const Failed* failed, bool dead) {
      if (query.event_id && row.event_id != *query.event_id) return true;
      Record record;
      record.event = ToEvent(id, row, failed != nullptr ? failed->attempts : 0);
      record.payload_size = row.payload ? static_cast<std::int64_t>(row.payload->size()) : -1;
      if (!query.contents) record.event.payload = record.event.headers = std::nullopt;
      record.shard = dead ? 0 : outbox_->ShardOf(id, row);
      record.now_us = ToMicros(std::chrono::system_clock::now());
      if (failed != nullptr) {
        record.state = dead ? OUTBOX_STATE_DEAD : StateOf(*failed);
        record.first_failed_us = ToMicros(failed->first);
        record.last_failed_us = ToMicros(failed->last);
        if (record.state == OUTBOX_STATE_RETRYING || record.state == OUTBOX_STATE_DELIVERED)
          record.next_try_us =
              record.now_us + std::chrono::duration_cast<std::chrono::microseconds>(failed->due - Clock::now()).count();
        record.reason = failed->reason;
        record.error = failed->error;
      }
      return found(record);
    };
    const auto each = [&](const auto& table, auto use) {
      const RowNumber stop = query.before ? query.before->number() : std::numeric_limits<RowNumber>::max();
      auto at = table.upper_bound(query.after ? query.after->number() : 0);
      for (; at != table.end() && at->first < stop && use(at->first, at->second); ++at) {
      }
    };
    if (query.from == OUTBOX_FROM_DEAD)
      each(outbox_->dead, [&](RowNumber id, const Dead& dead) { return show(id, dead.row, &dead.failed, true); });
    else if (query.from != OUTBOX_FROM_OUTBOX)
      each(outbox_->failed, [&](RowNumber id, const Failed& failed) {
        return failed.delivered != (query.from == OUTBOX_FROM_DELIVERED) ||
               show(id, outbox_->rows.at(id), &failed, false);
      });
    else
      each(outbox_->rows, [&](RowNumber id, const Row& row) {
        const auto failed = outbox_->failed.find(id);
        return show(id, row, failed == outbox_->failed.end() ? nullptr : &failed->second, false);
      });
  }

  // Inserts the event under a new row id, so that it is queued behind all events of its key. The event id stays the
  // same.
  std::uint64_t Requeue(RowIds ids) override {
    return Take(outbox_->dead, ids, [this](RowNumber id, Dead& dead) {
      outbox_->Add(std::move(dead.row));
      outbox_->dead.erase(id);
      return true;
    });
  }

  std::uint64_t Discard(RowIds ids) override {
    return Take(outbox_->dead, ids, [this](RowNumber id, const Dead&) { return outbox_->dead.erase(id) == 1; });
  }

  std::uint64_t DiscardBlocked(RowIds ids) override {
    return Take(outbox_->failed, ids, [this](RowNumber id, const Failed& failed) {
      if (!failed.blocked) return false;
      outbox_->Forget(id);
      return true;
    });
  }

  // Makes failed events due. The number of attempts is set to 1 and not to 0, because the relay must know that later
  // events of the key were passed over.
  std::uint64_t RetryNow(RowIds ids) override {
    return Take(outbox_->failed, ids, [](RowNumber, Failed& failed) {
      if (failed.delivered) return false;
      failed.blocked = false;
      failed.due = Clock::now();
      failed.attempts = 1;
      return true;
    });
  }

  // Removes undeletable rows. Without ids, all rows are removed whose removal is due. Memory can always remove a row,
  // so no further attempt is scheduled and the second argument is not used.
  std::uint64_t RemoveDelivered(RowIds ids, Millis) override {
    const auto remove = [this](RowNumber id, const Failed& failed) {
      if (!failed.delivered) return false;
      outbox_->Forget(id);
      return true;
    };
    if (!ids.empty()) return Take(outbox_->failed, ids, remove);
    const std::lock_guard lock(outbox_->mutex);
    std::uint64_t removed = 0;
    const auto all = outbox_->failed;
    for (const auto& [id, failed] : all) removed += failed.due <= Clock::now() && remove(id, failed) ? 1 : 0;
    return removed;
  }

  // The functions of outbox.testing/1. The contract tests call these functions, a relay never does.

  // Removes all rows, relays and marks. The tokens of the shards stay, because a token must never decrease.
  void Reset() override {
    const std::lock_guard lock(outbox_->mutex);
    outbox_->rows.clear();
    outbox_->failed.clear();
    outbox_->dead.clear();
    outbox_->relays.clear();
    outbox_->marks.clear();
    for (Shard& shard : outbox_->shards) shard = {{}, shard.token};
  }

  // Ends the leases of all relays. The marks of rows also end, but keep their tokens.
  void ExpireLeases() override {
    const std::lock_guard lock(outbox_->mutex);
    for (auto& [relay, lease_ends] : outbox_->relays) lease_ends = Clock::now();
    for (auto& [row, mark] : outbox_->marks) mark.until = Clock::now();
  }

  void MakeRetriesDue() override {
    const std::lock_guard lock(outbox_->mutex);
    for (auto& [id, failed] : outbox_->failed) failed.due = Clock::now();
  }

  TestState StateOf(std::string_view event_id) override {
    const std::lock_guard lock(outbox_->mutex);
    for (const auto& [id, dead] : outbox_->dead)
      if (dead.row.event_id == event_id) return {OUTBOX_STATE_DEAD, dead.failed.attempts};
    for (const auto& [id, row] : outbox_->rows) {
      if (row.event_id != event_id) continue;
      const auto failed = outbox_->failed.find(id);
      if (failed == outbox_->failed.end()) return {OUTBOX_STATE_WAITING, 0};
      return {StateOf(failed->second), failed->second.attempts};
    }
    return {};
  }

 private:
  // Fences a write to the rows `ids`, and frees these rows. If shards are leased, the token of the call must be that of
  // the shard's lease. If rows are marked, each row must be marked under the token of the call; the marks are then
  // removed.
  // REQUIRES: the caller holds outbox_->mutex.
  // Errors: OUTBOX_LEASE_LOST if the shard is not leased, or one of the rows is not marked, under the token of the
  // call; no mark is removed in this case.
  void Unmark(const std::vector<RowNumber>& ids) {
    if (outbox_->reserve == Reserve::kShard) return (void)outbox_->Leased(call());
    for (const RowNumber id : ids)
      if (const auto mark = outbox_->marks.find(id); mark == outbox_->marks.end() || mark->second.token != call().token)
        throw Error(OUTBOX_LEASE_LOST, "row " + std::to_string(id) + " is not marked under this token");
    // The token of the mark stays, because the relay repeats a write whose answer was lost.
    for (const RowNumber id : ids) outbox_->marks.at(id).relay.clear();
  }
  static std::int32_t StateOf(const Failed& failed) {
    if (failed.delivered) return OUTBOX_STATE_DELIVERED;
    return failed.blocked ? OUTBOX_STATE_BLOCKED : OUTBOX_STATE_RETRYING;
  }
  // Returns the oldest row that is neither undeletable nor blocked nor queued behind a blocked event of its key, or
  // null if there is none. REQUIRES: the caller holds outbox_->mutex.
  const Row* OldestUnblocked() const {
    std::set<std::string_view> blocked_keys;
    for (const auto& [id, row] : outbox_->rows) {
      if (row.key && blocked_keys.contains(*row.key)) continue;
      const auto failed = outbox_->failed.find(id);
      if (failed != outbox_->failed.end() && failed->second.delivered) continue;
      if (failed == outbox_->failed.end() || !failed->second.blocked) return &row;
      if (row.key) blocked_keys.insert(*row.key);
    }
    return nullptr;
  }

  // Calls `use` for each entry of `table` whose id is in `ids`, and returns how often `use` returned true.
  template <class Table, class F>
  std::uint64_t Take(Table& table, RowIds ids, F use) {
    const std::lock_guard lock(outbox_->mutex);
    std::uint64_t taken = 0;
    for (const RowId& id : ids) {
      const auto row = table.find(id.number());
      if (row != table.end() && use(row->first, row->second)) ++taken;
    }
    return taken;
  }

  const std::shared_ptr<Outbox> outbox_;
  ShardReader shard_reader_{*outbox_};
  RowReader row_reader_{*outbox_};
  // Rows of the transaction that BeginEmit began.
  std::vector<Row> uncommitted_;
  // Value of Outbox::commits at the last wake-up that Wait reported. Guarded by outbox_->mutex, as is cancelled_.
  std::uint64_t seen_ = 0;
  bool cancelled_ = false;
};

}  // namespace
}  // namespace outbox::memory

OUTBOX_REGISTER_SHARED_ADAPTER(outbox::memory::Adapter, outbox::memory::Outbox, "memory", OUTBOX_VERSION,
                               OUTBOX_CAN_SHARE | OUTBOX_CAN_ORDER_KEYS | OUTBOX_CAN_FENCE | OUTBOX_CAN_DEAD_LETTER |
                                   OUTBOX_ROW_IDS_ARE_NUMBERS)
