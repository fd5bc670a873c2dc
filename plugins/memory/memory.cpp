// The reference adapter: an outbox that lives in the relay's memory, with everything an adapter can offer. Read it
// first when you write your own; sdk/template/ is the one to copy.
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

  // The three verbs.

  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    const std::lock_guard lock(outbox_->mutex);
    if (outbox_->reserve == Reserve::kRows) return row_reader_.Read(request, batch);
    (void)outbox_->Leased(call());
    shard_reader_.Read(call(), request, batch);
  }

  // Nothing here could refuse it, or keep a row in spite of it.
  void ConfirmEvent(ConfirmedRows rows, KeptRows&) override {
    const std::lock_guard lock(outbox_->mutex);
    for (const ConfirmedRow row : rows)
      if (const RowNumber id = row.row_id.number(); outbox_->Has(id, row.event_id)) outbox_->Forget(id);
  }

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

  void Release(RowIds ids) override {
    const std::lock_guard lock(outbox_->mutex);
    std::vector<RowNumber> there;
    for (const RowId& id : ids)
      if (outbox_->rows.contains(id.number())) there.push_back(id.number());
    Unmark(there);
  }

  void Cancel() noexcept override {
    const std::lock_guard lock(outbox_->mutex);
    cancelled_ = true;
    outbox_->committed.notify_all();
  }

  // outbox.leases/1

  Lease Heartbeat(std::string_view relay_id, Millis duration) override {
    if (outbox_->reserve == Reserve::kRows)
      throw Error(OUTBOX_UNSUPPORTED, "this outbox leases no shards, but marks rows");
    const std::lock_guard lock(outbox_->mutex);
    return outbox_->Heartbeat(std::string(relay_id), duration);
  }

  void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> returned,
                     bool deregister) override {
    const std::lock_guard lock(outbox_->mutex);
    outbox_->ReleaseShards(relay_id, returned, deregister);
  }

  // outbox.poison/1

  bool WasLost() override {
    const std::lock_guard lock(outbox_->mutex);
    return outbox_->Leased(call()).lost;
  }

  std::uint32_t Mark(std::optional<RowId> row) override {
    const std::lock_guard lock(outbox_->mutex);
    return outbox_->Leased(call()).MarkSuspect(row ? std::optional(row->number()) : std::nullopt);
  }

  // outbox.wakeup/1

  bool Wait() override {
    std::unique_lock lock(outbox_->mutex);
    outbox_->committed.wait_for(lock, call().timeout, [&] { return cancelled_ || outbox_->commits != seen_; });
    if (std::exchange(cancelled_, false)) throw Error(OUTBOX_CANCELLED, "the wait was cancelled");
    return std::exchange(seen_, outbox_->commits) != outbox_->commits;
  }

  // outbox.emit/1

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

  // outbox.schema/1

  static std::string PrintSchema(const Outbox&, const SchemaOptions&) { return "-- memory has no tables\n"; }

  void ApplySchema(const SchemaOptions& wish) override {
    const std::lock_guard lock(outbox_->mutex);
    if (wish.shards == 0 || wish.shards == outbox_->shards.size()) return;
    if (outbox_->reserve == Reserve::kRows)
      throw Error(OUTBOX_BAD_CONFIG, "options: with \"reserve\": \"rows\" there is one shard, which all relays read");
    outbox_->DropExpiredRelays({});
    if (!outbox_->relays.empty())
      throw Error(OUTBOX_BAD_CONFIG, "the number of shards changes only while no relay runs");
    outbox_->shards.resize(wish.shards);
  }

  std::vector<Finding> CheckSchema() override { return {}; }

  // outbox.stats/1

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

  // outbox.admin/1

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

  std::uint64_t RetryNow(RowIds ids) override {
    return Take(outbox_->failed, ids, [](RowNumber, Failed& failed) {
      if (failed.delivered) return false;
      failed.blocked = false;
      failed.due = Clock::now();
      failed.attempts = 1;
      return true;
    });
  }

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

  // outbox.testing/1

  void Reset() override {
    const std::lock_guard lock(outbox_->mutex);
    outbox_->rows.clear();
    outbox_->failed.clear();
    outbox_->dead.clear();
    outbox_->relays.clear();
    outbox_->marks.clear();
    for (Shard& shard : outbox_->shards) shard = {{}, shard.token};
  }

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
  // Before a write about rows that the relay was given, and that are free afterwards. LEASE_LOST, and nothing has changed,
  // where one of them is not its own any more.
  // REQUIRES: outbox_->mutex is held.
  void Unmark(const std::vector<RowNumber>& ids) {
    if (outbox_->reserve == Reserve::kShard) return (void)outbox_->Leased(call());
    for (const RowNumber id : ids)
      if (const auto mark = outbox_->marks.find(id); mark == outbox_->marks.end() || mark->second.token != call().token)
        throw Error(OUTBOX_LEASE_LOST, "row " + std::to_string(id) + " is not marked under this token");
    // The token stays: the same write may come again where its answer was lost.
    for (const RowNumber id : ids) outbox_->marks.at(id).relay.clear();
  }
  static std::int32_t StateOf(const Failed& failed) {
    if (failed.delivered) return OUTBOX_STATE_DELIVERED;
    return failed.blocked ? OUTBOX_STATE_BLOCKED : OUTBOX_STATE_RETRYING;
  }
  // Null where every event is blocked, or queued behind a blocked one of its key. REQUIRES: outbox_->mutex is held.
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
  std::vector<Row> uncommitted_;
  std::uint64_t seen_ = 0;  // the commits that Wait has told of
  bool cancelled_ = false;  // guarded by outbox_->mutex
};

}  // namespace
}  // namespace outbox::memory

OUTBOX_REGISTER_SHARED_ADAPTER(outbox::memory::Adapter, outbox::memory::Outbox, "memory", OUTBOX_VERSION,
                               OUTBOX_CAN_SHARE | OUTBOX_CAN_ORDER_KEYS | OUTBOX_CAN_FENCE | OUTBOX_CAN_DEAD_LETTER |
                                   OUTBOX_ROW_IDS_ARE_NUMBERS)
