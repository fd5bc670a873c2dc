// The outbox that the sessions of one store share: rows, failures, dead letters and leases. A database keeps these in
// tables and serialises access to them with transactions; here they are maps, and one mutex guards all of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"

namespace outbox::memory {

using Clock = std::chrono::steady_clock;
using RowNumber = std::int64_t;

// One event in the outbox. `key`, `payload` and `headers` may be absent; an absent payload makes a tombstone.
struct Row {
  std::string event_id;
  std::optional<std::string> key;
  std::string event_type, topic;
  std::optional<std::string> payload, headers;
  std::chrono::system_clock::time_point created;
};

// The record of an event that has failed. The SQL plugins keep such records in the companion table outbox_retry.
struct Failed {
  std::uint32_t attempts = 0;
  // True if the event waits for an operator. Such an event is never due, whatever `due` says.
  bool blocked = false;
  // True if the event is undeletable: Kafka has acknowledged it, but its row could not be removed. It is never reserved
  // again.
  bool delivered = false;
  // Time from which the event may be attempted again or, if it is undeletable, from which its row may be removed again.
  Clock::time_point due;
  // Times of the first and of the last failure.
  std::chrono::system_clock::time_point first, last;
  std::string reason, error;
};

// A dead letter: the event, and the record of its failures.
struct Dead {
  Row row;
  Failed failed;
};

// The lease of one shard (outbox.leases/1), and its poison mark (outbox.poison/1).
struct Shard {
  // Id of the relay that leases the shard; empty if the shard is free. The shard is also free if that relay is not in
  // Outbox::relays any more, or if the relay's lease has expired; the next assignment of shards then empties `owner`.
  std::string owner;
  // Number that grows with every change of the owner, so that a call with an older token can be refused.
  std::uint64_t token = 0;
  // True if the owner has been asked to release the shard, because another relay is to own it.
  bool leaving = false;
  // True if an owner has lost the shard instead of releasing it, and no later owner has removed the poison mark since.
  // The next owner then begins with a slow start.
  bool lost = false;
  // The poison mark: the row that an owner was about to send alone, the token of the owner that marked it last, and the
  // number of consecutive owners that have marked it.
  std::optional<RowNumber> suspect = {};
  std::uint64_t suspect_token = 0;
  std::uint32_t suspect_owners = 0;
  // Sets the poison mark to the row `id`. If `id` is absent, removes the mark, and the shard does not count as lost any
  // more. Returns the number of consecutive owners that have marked this row. An owner counts once, however often it
  // marks the row.
  std::uint32_t MarkSuspect(std::optional<RowNumber> id);
};

// The way in which several relays share the outbox. The option "reserve" sets it.
enum class Reserve : std::uint8_t {
  // Shards are leased (outbox.leases/1). Each relay reads only the shards that it owns.
  kShard,
  // Every relay reads all rows and marks those that it reserves. No other relay receives a marked row until its mark
  // ends.
  kRows,
};

// The reservation of one row by one relay (Reserve::kRows).
struct RowMark {
  // Id of the relay that has reserved the row. It is empty if the row is free again; the token is kept even then.
  std::string relay;
  // Token of the reserve call that returned the row.
  std::uint64_t token = 0;
  // Time at which the mark ends by itself.
  Clock::time_point until;
  [[nodiscard]] bool IsOfAnother(std::string_view than, Clock::time_point now) const {
    return !relay.empty() && relay != than && until > now;
  }
};

// The state of one store. The relay constructs one Outbox per store, and each session holds a shared pointer to it.
//
// Thread: any. REQUIRES: the caller holds `mutex` for all members and functions except the constructor and `reserve`,
// which never changes after construction.
// INVARIANT: each id in `failed` and in `marks` is an id in `rows`.
class Outbox {
 public:
  // Parses the options of the plugin, a JSON object. Errors: OUTBOX_BAD_CONFIG if they are not valid.
  Outbox(const std::string& options, const outbox_host* host);

  std::mutex mutex;
  // Condition that is notified when `commits` has changed, or when a session was cancelled.
  std::condition_variable committed;

  // The rows by their ids. A row gets its id when it is committed. A database assigns the id earlier, when the row is
  // inserted, so a row may become visible below an id that was already read (a late row). In this outbox no row can be
  // late, so a reading position can be trusted.
  std::map<RowNumber, Row> rows;
  std::map<RowNumber, Failed> failed;
  std::map<RowNumber, Dead> dead;
  // The highest row id that was ever assigned. It never decreases, because a repeated confirm must not match a new row
  // that has the same id.
  RowNumber last_id = 0;
  // Number of commits that have added rows.
  std::uint64_t commits = 0;

  Reserve reserve = Reserve::kShard;
  std::map<RowNumber, RowMark> marks;
  // Token of the last reserve call that marked rows.
  std::uint64_t last_mark = 0;

  // The live relays by their ids, with the times at which their leases end. A relay whose lease has ended stays in the
  // map until the next assignment of shards.
  std::map<std::string, Clock::time_point, std::less<>> relays;
  std::vector<Shard> shards{1};

  // Commits a row: adds it under the next id.
  void Add(Row row) { rows.emplace(++last_id, std::move(row)); }
  // Returns true if the row `id` exists and holds the event `event_id`. After a restore a database may have assigned
  // the id to a new event, and a call that names the earlier event must not change the new one.
  [[nodiscard]] bool Has(RowNumber id, std::string_view event_id) const {
    const auto row = rows.find(id);
    return row != rows.end() && row->second.event_id == event_id;
  }
  // Removes a row from the outbox, together with the record of its failures and its mark.
  void Forget(RowNumber id) {
    rows.erase(id);
    failed.erase(id);
    marks.erase(id);
  }
  // Returns the shard of a row, which the row's key determines. An event without a key has no order, so the row id
  // determines the shard.
  [[nodiscard]] std::uint32_t ShardOf(RowNumber id, const Row& row) const;
  [[nodiscard]] static bool IsDue(const Failed& f, Clock::time_point now) {
    return !f.blocked && !f.delivered && f.due <= now;
  }
  // Returns the number of failed attempts that is reported to a relay: at least 1 if the event has ever failed, even if
  // an operator has reset the counter. The relay takes a number above 0 as a sign that later events of the key were
  // passed over.
  [[nodiscard]] std::uint32_t Attempts(RowNumber id) const {
    const auto f = failed.find(id);
    return f == failed.end() ? 0 : std::max(1U, f->second.attempts);
  }
  // Returns, for each key with a failed event, the row id of its first failed event. The later events of the key are
  // queued behind it. Undeletable events do not count, because nothing is queued behind them. The keys of the map refer
  // to `rows`.
  [[nodiscard]] std::map<std::string_view, RowNumber> FirstFailed() const;
  // Returns the shard of the call. Errors: OUTBOX_LEASE_LOST unless the shard is leased under the token of the call.
  [[nodiscard]] Shard& Leased(const Call& call);
  // Implements Leases::Heartbeat (outbox.leases/1): registers the relay `me` or renews its lease, assigns shards to the
  // relay, and returns the shards that the relay owns. `duration` is the duration of the lease.
  Lease Heartbeat(const std::string& me, Millis duration);
  // Implements Leases::ReleaseShards. A shard whose token is stale is passed over. If `deregister` is true, the relay
  // is removed from `relays`.
  void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> returned, bool deregister);
  // Removes the relays whose leases have expired, except `but_not`. The shards of the removed relays become free and
  // count as lost.
  void DropExpiredRelays(std::string_view but_not);
  // Returns a random UUID, for events that are emitted without an id.
  [[nodiscard]] std::string NewEventId();

 private:
  // Returns true if `relay` is registered and its lease has not expired at `now`.
  [[nodiscard]] bool Lives(const std::string& relay, Clock::time_point now) const;
  // Assigns free shards to the relay until it owns `share` of them. If it owns more, asks it to release the surplus.
  // Shards that the relay has already been asked to release do not count.
  void Share(const std::string& relay, std::size_t share);

  std::mt19937_64 random_;
};

[[nodiscard]] Event ToEvent(RowNumber id, const Row& row, std::uint32_t attempts);
[[nodiscard]] std::int64_t ToMicros(std::chrono::system_clock::time_point time);

}  // namespace outbox::memory
