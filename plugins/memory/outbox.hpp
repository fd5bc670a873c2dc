// The outbox that the sessions of one store share: rows, failures, dead letters and leases, as a database would keep
// them in tables. One mutex guards all of it.
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

struct Row {
  std::string event_id;
  std::optional<std::string> key;
  std::string event_type, topic;
  std::optional<std::string> payload, headers;
  std::chrono::system_clock::time_point created;
};

struct Failed {
  std::uint32_t attempts = 0;
  bool blocked = false;    // never due by itself
  bool delivered = false;  // Kafka has it, and it could not be removed: never reserved again
  Clock::time_point due;
  std::chrono::system_clock::time_point first, last;
  std::string reason, error;
};

struct Dead {
  Row row;
  Failed failed;
};

struct Shard {
  std::string owner;  // "" = free, as when the owner is no relay any more
  std::uint64_t token = 0;
  bool leaving = false;  // its owner is to give it back
  bool lost = false;     // by its last owner
  std::optional<RowNumber> suspect = {};
  std::uint64_t suspect_token = 0;
  std::uint32_t suspect_owners = 0;
  // outbox.poison/1. Returns how many owners in a row have marked that event.
  std::uint32_t MarkSuspect(std::optional<RowNumber> id);
};

// How an outbox is shared by several relays, as its options say.
enum class Reserve : std::uint8_t {
  kShard,  // shards are leased (outbox.leases/1), and a relay reads those that it owns
  kRows,   // every relay reads all, and each row that it is given is marked: its own until the mark ends
};

struct RowMark {
  std::string relay;        // "" = the row is free again
  std::uint64_t token = 0;  // of the call that gave it
  Clock::time_point until;
  [[nodiscard]] bool IsOfAnother(std::string_view than, Clock::time_point now) const {
    return !relay.empty() && relay != than && until > now;
  }
};

class Outbox {
 public:
  Outbox(const std::string& options, const outbox_host* host);

  std::mutex mutex;
  std::condition_variable committed;  // together with commits

  // Rows get their id when they are committed, not when they are inserted. A database does it the other way round, so
  // that its rows may turn up below one that was read already; here a reading position can be trusted.
  std::map<RowNumber, Row> rows;
  std::map<RowNumber, Failed> failed;  // of rows that are still in the outbox
  std::map<RowNumber, Dead> dead;
  RowNumber last_id = 0;  // never goes back: a repeated confirm must not meet a new row
  std::uint64_t commits = 0;

  Reserve reserve = Reserve::kShard;
  std::map<RowNumber, RowMark> marks;  // of rows that are still in the outbox
  std::uint64_t last_mark = 0;

  std::map<std::string, Clock::time_point, std::less<>> relays;  // when each one's lease ends
  std::vector<Shard> shards{1};

  void Add(Row row) { rows.emplace(++last_id, std::move(row)); }
  // Under the id there may stand another event: only this one is meant.
  [[nodiscard]] bool Has(RowNumber id, std::string_view event_id) const {
    const auto row = rows.find(id);
    return row != rows.end() && row->second.event_id == event_id;
  }
  void Forget(RowNumber id) {
    rows.erase(id);
    failed.erase(id);
    marks.erase(id);
  }
  [[nodiscard]] std::uint32_t ShardOf(RowNumber id, const Row& row) const;
  [[nodiscard]] static bool IsDue(const Failed& f, Clock::time_point now) {
    return !f.blocked && !f.delivered && f.due <= now;
  }
  // As a relay is given them: 0 only for an event that has never failed, whatever an operator did since.
  [[nodiscard]] std::uint32_t Attempts(RowNumber id) const {
    const auto f = failed.find(id);
    return f == failed.end() ? 0 : std::max(1U, f->second.attempts);
  }
  // By key, its first event that has failed: later ones wait behind it.
  [[nodiscard]] std::map<std::string_view, RowNumber> FirstFailed() const;
  // LEASE_LOST unless the shard is leased under this very token.
  [[nodiscard]] Shard& Leased(const Call& call);
  // outbox.leases/1, as the adapter has it.
  Lease Heartbeat(const std::string& me, Millis duration);
  void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> returned, bool deregister);
  void DropExpiredRelays(std::string_view but_not);
  [[nodiscard]] std::string NewEventId();

 private:
  [[nodiscard]] bool Lives(const std::string& relay, Clock::time_point now) const;
  // Takes free shards up to `share`, or marks what is above it.
  void Share(const std::string& relay, std::size_t share);

  std::mt19937_64 random_;
};

[[nodiscard]] Event ToEvent(RowNumber id, const Row& row, std::uint32_t attempts);
[[nodiscard]] std::int64_t ToMicros(std::chrono::system_clock::time_point time);

}  // namespace outbox::memory
