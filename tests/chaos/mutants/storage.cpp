// A storage plugin that wraps a real one under the same name and breaks one rule.
#include <algorithm>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>

#include "mutant.hpp"
#include "outbox/event.hpp"
#include "real.hpp"

namespace outbox::chaos {
namespace {

std::mutex mutex;

bool IgnoresLeases() { return Is("lease-ignored") || Is("two-owners"); }

void CutAtNul(outbox_bytes& bytes) {
  if (bytes.data != nullptr) bytes.size = View(bytes).substr(0, View(bytes).find('\0')).size();
}

// Removes each event whose id is not greater than all earlier ids of its shard and token. A rewind resets the
// comparison; the results of rescans are unchanged.
void DropLateRows(std::vector<outbox_event>& events, const outbox_reserve& ask, const outbox_call& call) {
  static std::map<std::pair<std::uint32_t, std::uint64_t>, long long> highest;
  const std::lock_guard lock(mutex);
  long long& top = highest[{call.shard, call.token}];
  if (ask.mode == OUTBOX_RESCAN) return;
  if (ask.mode == OUTBOX_REWIND) top = 0;
  std::erase_if(events, [&top](const outbox_event& event) {
    const long long id = event.row_id.number;
    if (id <= top) return true;
    top = id;
    return false;
  });
}

struct Copy {
  explicit Copy(const outbox_event& original) : event(original) {
    for (outbox_bytes* const bytes :
         {&event.event_id, &event.aggregate_id, &event.event_type, &event.topic, &event.payload, &event.headers}) {
      if (bytes->data == nullptr) continue;
      texts.emplace_back(View(*bytes));
      bytes->data = texts.back().data();
    }
  }
  outbox_event event;
  std::deque<std::string> texts;
};

// Inserts into `events` a row that was read some time ago, as a lagging replica would return it.
void RepeatOldRow(std::vector<outbox_event>& events, const outbox_reserve& ask) {
  static std::deque<Copy> copies;  // Never freed, because batches point to them.
  static unsigned reads = 0;
  static bool due = false;
  const std::lock_guard lock(mutex);
  if (events.empty()) return;
  if (due && events.size() < ask.max_events && ask.is_outstanding(ask.ctx, &copies.back().event.row_id) == 0) {
    events.insert(events.begin(), copies.back().event);
    due = false;
  } else if (++reads % 20 == 0) {
    copies.emplace_back(events.back());
    due = true;
  }
}

// If the call fails with OUTBOX_LEASE_LOST, repeats the call with the token of the shard's current owner.
template <class Do>
outbox_code UnderAnyToken(outbox_session* session, const outbox_call* call, const Do& run) {
  const outbox_code code = run(call);
  if (code != OUTBOX_LEASE_LOST || !IgnoresLeases()) return code;
  outbox_call other = *call;
  other.token = LivingTokens(session, call)[call->shard];
  return run(&other);
}

outbox_code Reserve(outbox_session* session, const outbox_reserve* ask, const outbox_call* call, outbox_batch* batch,
                    outbox_error* error) {
  const outbox_code code = UnderAnyToken(session, call, [&](const outbox_call* as) {
    return RealPlugin().reserve_new_events(session, ask, as, batch, error);
  });
  if (code != OUTBOX_OK) return code;
  if (IgnoresLeases()) batch->token = call->token;
  std::vector<outbox_event> events = EventsOf(*batch);
  if (Is("cuts-at-nul")) std::for_each(events.begin(), events.end(), [](outbox_event& e) { CutAtNul(e.payload); });
  if (Is("id-cursor-only")) DropLateRows(events, *ask, *call);
  if (Is("stale-reads")) RepeatOldRow(events, *ask);
  if (Is("confirm-before-ack") && !events.empty()) {
    std::vector<outbox_row> rows;
    for (const outbox_event& e : events) rows.push_back({e.row_id, e.event_id});
    std::vector<std::uint8_t> kept(rows.size());
    (void)RealPlugin().confirm_event(session, rows.data(), rows.size(), call, kept.data(), error);
  }
  Replace(*batch, std::move(events));
  return code;
}

outbox_code Failed(outbox_session* session, const outbox_failure* failures, std::size_t count, const outbox_call* call,
                   outbox_error* error) {
  std::vector<outbox_failure> changed(failures, failures + count);
  std::vector<outbox_row_id> rows;
  std::vector<outbox_row> all;
  for (outbox_failure& failure : changed) {
    all.push_back({failure.row_id, failure.event_id});
    if (Is("failed-to-the-end") && failure.disposition == OUTBOX_DEAD) continue;
    if (Is("failed-to-the-end")) failure.disposition = OUTBOX_DEAD;
    rows.push_back(failure.row_id);
  }
  std::vector<std::uint8_t> stays(all.size());
  if (Is("failures-vanish"))
    return RealPlugin().confirm_event(session, all.data(), all.size(), call, stays.data(), error);
  const outbox_code code = UnderAnyToken(session, call, [&](const outbox_call* as) {
    return RealPlugin().confirm_failed(session, changed.data(), count, as, error);
  });
  if (code != OUTBOX_OK || !Is("failed-to-the-end")) return code;
  std::uint64_t requeued = 0;
  return RealExtension<outbox_admin_v1>(OUTBOX_ADMIN_V1)
      .requeue(session, rows.data(), rows.size(), call, &requeued, error);
}

// The shards that this relay has owned. The mutant reports them to the relay as owned until the relay itself releases
// them.
std::map<std::uint32_t, outbox_owned_shard> kept;

void ReportKept(outbox_lease& lease, std::int64_t lease_ms) {
  lease.lease_left_ms = lease_ms;
  lease.owned_count = 0;
  for (const auto& [number, shard] : kept)
    if (lease.owned_count < lease.capacity) lease.owned[lease.owned_count++] = shard;
}

outbox_code Heartbeat(outbox_session* session, outbox_bytes relay_id, std::int64_t lease_ms, const outbox_call* call,
                      outbox_lease* lease, outbox_error* error) {
  static std::uint32_t shards = 0, relays = 0;
  const outbox_code code =
      RealExtension<outbox_leases_v1>(OUTBOX_LEASES_V1).heartbeat(session, relay_id, lease_ms, call, lease, error);
  if (!IgnoresLeases() || (code != OUTBOX_OK && kept.empty())) return code;
  const std::lock_guard lock(mutex);
  if (code == OUTBOX_OK) {
    shards = lease->shards_total;
    relays = lease->live_relays;
    if (Is("two-owners")) kept.clear();
    for (std::uint32_t i = 0; i < lease->owned_count; ++i) kept[lease->owned[i].shard] = lease->owned[i];
    if (Is("two-owners"))
      for (const auto& [shard, token] : LivingTokens(session, call)) kept[shard] = {shard, OUTBOX_SHARD_OWNED, token};
  }
  lease->shards_total = shards;
  lease->live_relays = relays;
  ReportKept(*lease, lease_ms);
  return OUTBOX_OK;
}

outbox_code ReleaseShards(outbox_session* session, outbox_bytes relay_id, const outbox_owned_shard* returned,
                          std::size_t count, std::uint32_t deregister, const outbox_call* call, outbox_error* error) {
  const outbox_code code = RealExtension<outbox_leases_v1>(OUTBOX_LEASES_V1)
                               .release_shards(session, relay_id, returned, count, deregister, call, error);
  const std::lock_guard lock(mutex);
  for (std::size_t i = 0; i < count; ++i) kept.erase(returned[i].shard);
  return code;
}

const void* Extension(const char* id) {
  static const outbox_leases_v1 leases{sizeof(outbox_leases_v1), Heartbeat, ReleaseShards};
  return std::strcmp(id, OUTBOX_LEASES_V1) == 0 ? &leases : RealPlugin().get_extension(id);
}

}  // namespace
}  // namespace outbox::chaos

extern "C" OUTBOX_EXPORT const outbox_plugin* outbox_plugin_v1(void) {
  using namespace outbox::chaos;  // NOLINT(google-build-using-namespace)
  static const outbox_plugin table = [] {
    outbox_plugin spoiled = RealPlugin();
    spoiled.reserve_new_events = Reserve;
    spoiled.confirm_failed = Failed;
    spoiled.get_extension = Extension;
    return spoiled;
  }();
  return &table;
}
