// Calls an adapter as the relay does, without the plugin boundary: one relay with its sessions, lease and outstanding
// rows.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "outbox/adapter.hpp"
#include "tests/catch.hpp"

namespace outbox::testing {

using Ids = std::vector<long long>;
using Clock = std::chrono::steady_clock;

struct Taken {
  long long id = 0;
  std::string event_id;
  std::optional<std::string> key, payload, headers;
  std::string type, topic;
  std::int64_t created_us = 0;
  std::uint32_t attempts = 0;
  std::vector<std::optional<std::string>> columns = {};
};

inline std::vector<long long> IdsOf(const std::vector<Taken>& events) {
  std::vector<long long> ids;
  for (const Taken& e : events) ids.push_back(e.id);
  return ids;
}

template <class A, class Config>
std::unique_ptr<A> Connected(std::shared_ptr<Config> config, const Call& call) {
  if constexpr (std::is_constructible_v<A, std::shared_ptr<Config>, const Call&>)
    return std::make_unique<A>(std::move(config), call);
  else
    return std::make_unique<A>(std::move(config));
}

// Opens a session, and creates or upgrades the tables in it. `timeout` is the time limit of the session's calls.
template <class A, class Config>
void Migrate(std::shared_ptr<Config> config, const SchemaOptions& options, Millis timeout) {
  const Call call{0, 0, timeout};
  const auto adapter = Connected<A>(std::move(config), call);
  adapter->Begin(call);
  adapter->ApplySchema(options);
}

template <class A, class Config>
class Driver {
 public:
  explicit Driver(std::shared_ptr<Config> config, std::string relay = "relay-1")
      : config_(std::move(config)), relay_(std::move(relay)) {
    Reconnect();
  }

  // Opens new sessions, as after an outage: the adapters lose their positions, and outstanding rows stay outstanding.
  void Reconnect() {
    reading_ = Connected<A>(config_, Call{shard, token, kTimeout});
    writing_ = Connected<A>(config_, Call{shard, token, kTimeout});
  }
  A& reading() { return Begun(*reading_); }
  A& writing() { return Begun(*writing_); }

  Lease Heartbeat(Millis lease = Millis(60'000)) {
    const Lease got = writing().Heartbeat(relay_, lease);
    token = 0;
    for (const auto& owned : got.owned)
      if (owned.shard == shard) token = owned.token;
    return got;
  }

  std::vector<Taken> Reserve(std::uint32_t events = 1000, std::uint64_t bytes = 64 << 20, bool rewind = false) {
    return Read(events, bytes, rewind ? OUTBOX_REWIND : OUTBOX_READ_ON);
  }
  // Makes one step of a rescan.
  std::vector<Taken> Rescan(std::uint32_t events = 1000) { return Read(events, 64 << 20, OUTBOX_RESCAN); }

  std::vector<Taken> Read(std::uint32_t events, std::uint64_t bytes, std::uint32_t mode) {
    outbox_reserve raw{};
    raw.struct_size = sizeof raw;
    raw.max_events = events;
    raw.max_bytes = bytes;
    raw.reserve_ms = 60'000;
    raw.relay_id = Raw(std::string_view(relay_));
    raw.is_outstanding = [](void* self, const outbox_row_id* row) -> std::int32_t {
      return static_cast<Driver*>(self)->outstanding.contains(row->number) ? 1 : 0;
    };
    raw.ctx = this;
    raw.mode = mode;
    const ReserveRequest request{raw};
    BatchBuilder batch(request);
    reading().ReserveNewEvents(request, batch);
    outbox_batch out{};
    batch.Finish(&out);
    more = out.more != 0;
    std::vector<Taken> taken;
    const auto own = [](outbox_bytes b) { return b.data ? std::optional<std::string>(View(b)) : std::nullopt; };
    for (std::size_t i = 0; i < out.count; ++i) {
      const outbox_event& e = out.events[i];
      taken.push_back({e.row_id.number, std::string(View(e.event_id)), own(e.aggregate_id), own(e.payload),
                       own(e.headers), std::string(View(e.event_type)), std::string(View(e.topic)), e.created_us,
                       e.attempts});
      for (std::size_t c = 0; c < e.column_count; ++c) taken.back().columns.push_back(own(e.columns[c]));
      outstanding.insert(taken.back().id);
      event_ids[taken.back().id] = taken.back().event_id;
    }
    out.release(&out);
    return taken;
  }

  void Confirm(const std::vector<long long>& ids) { (void)ConfirmAndLook(ids); }
  // Confirms the rows, and returns the ids of those that were not removed.
  std::vector<long long> ConfirmAndLook(const std::vector<long long>& ids) {
    std::vector<outbox_row> raw;
    for (const long long id : ids) raw.push_back({Raw(RowId(id)), Raw(event_ids[id])});
    std::vector<std::uint8_t> flags(ids.size());
    KeptRows kept(flags.data(), flags.size());
    writing().ConfirmEvent({raw.data(), raw.size()}, kept);
    std::vector<long long> still_there;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (flags[i] != 0) still_there.push_back(ids[i]);
      outstanding.erase(ids[i]);
    }
    return still_there;
  }

  void Fail(long long id, Disposition disposition, Millis after = Millis(0), std::string_view text = "no") {
    const outbox_failure raw{Raw(RowId(id)),
                             Raw(event_ids[id]),
                             Raw(std::string_view("test")),
                             Raw(text),
                             after.count(),
                             static_cast<std::int32_t>(disposition),
                             0};
    writing().ConfirmFailed({&raw, 1});
    outstanding.erase(id);
  }

  void FailAll(const std::vector<long long>& ids, Disposition disposition, Millis after = Millis(3'600'000)) {
    std::vector<outbox_failure> raw;
    for (const long long id : ids)
      raw.push_back({Raw(RowId(id)), Raw(event_ids[id]), Raw(std::string_view("test")), Raw(std::string_view("no")),
                     after.count(), static_cast<std::int32_t>(disposition), 0});
    writing().ConfirmFailed({raw.data(), raw.size()});
    for (const long long id : ids) outstanding.erase(id);
  }

  void Emit(const std::vector<Event>& events, bool commit = true) {
    std::vector<outbox_event> raw;
    for (const Event& e : events) raw.push_back(ToRaw(e));
    writing().BeginEmit();
    writing().Insert({raw.data(), raw.size(), sizeof(outbox_event)});
    writing().EndEmit(commit);
  }

  std::uint32_t shard = 0;
  std::uint64_t token = 0;
  std::set<long long> outstanding;
  // The event ids of all rows that were read, keyed by row id.
  std::map<long long, std::string> event_ids;
  bool more = false;

 private:
  A& Begun(A& adapter) {
    adapter.Begin({shard, token, kTimeout});
    return adapter;
  }

  static constexpr Millis kTimeout{5000};

  const std::shared_ptr<Config> config_;
  const std::string relay_;
  std::unique_ptr<A> reading_, writing_;
};

// Reads until no row is left, and returns the row ids in the order in which they were read.
template <class Relay>
std::vector<long long> Rest(Relay& relay) {
  std::vector<long long> all;
  do {
    for (const long long id : IdsOf(relay.Reserve())) all.push_back(id);
  } while (relay.more);
  return all;
}

// Makes one read of at most `events` events, and appends the row ids to `seen`.
template <class Relay>
void ReadOn(Relay& relay, std::uint32_t events, std::vector<long long>& seen) {
  for (const long long id : IdsOf(relay.Reserve(events))) seen.push_back(id);
}

// Checks that the late row `id` is read next, and that the remaining rows follow in order, with none left out. `seen`
// contains the ids that were read before, and `ours` is the number of rows that the relay has to read in total.
// REQUIRES: the id was missing while rows with greater ids were read, and its row is now committed.
template <class Relay>
void CheckTurnedUp(Relay& relay, long long id, std::vector<long long> seen, const std::string& ours) {
  CHECK(std::ranges::is_sorted(seen));
  const std::size_t before = seen.size();
  ReadOn(relay, 20, seen);
  CHECK(seen.at(before) == id);
  for (const long long rest : Rest(relay)) seen.push_back(rest);
  CHECK(std::to_string(seen.size()) == ours);
  std::erase(seen, id);
  CHECK(std::ranges::is_sorted(seen));
}

template <class F>
Error Caught(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  return {OUTBOX_OK, "nothing was thrown"};
}

inline bool Has(const std::vector<Finding>& findings, const std::string& what) {
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& f) { return f.what.find(what) != std::string::npos; });
}

inline Event Simple(std::string_view key, std::string_view payload = "{}") {
  Event e;
  e.aggregate_id = key;
  e.event_type = "Placed";
  e.topic = "orders";
  e.payload = payload;
  return e;
}

}  // namespace outbox::testing
