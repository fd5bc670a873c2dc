#include "tests/simulation/silence.hpp"

#include <algorithm>
#include <utility>

namespace outbox::simulation {
namespace {

constexpr Time kSilent = 10 * kSecond;

}  // namespace

void Silence::Look(const std::vector<std::shared_ptr<RelayProcess>>& relays) {
  const Time since = parts_.world.now() - kSilent;
  bool ready = false;
  // A relay that has ended has to be started again, so its end is noticed. The time of silence therefore starts over.
  const auto ended = static_cast<std::size_t>(
      std::count_if(relays.begin(), relays.end(), [](const auto& relay) { return relay->dead(); }));
  if (std::exchange(ended_, ended) != ended) ready_since_.clear();
  for (const auto& relay : relays) {
    if (!relay->Ready())
      ready_since_.erase(relay->id());
    else if (ready_since_.try_emplace(relay->id(), parts_.world.now()).first->second <= since)
      ready = true;
  }
  if (!ready) return;
  for (std::uint32_t shard = 0; shard < parts_.store.leases.shards(); ++shard) {
    const auto waiting = parts_.store.LongestWaiting(shard);
    if (waiting && waiting->since <= since && parts_.ledger.MovedAt(shard) <= since)
      parts_.ledger.Break(
          fmt::format("I12 silence: a relay is ready, {} waits, and nothing of its shard has moved for {} s",
                      parts_.ledger.Name(waiting->event), kSilent / kSecond));
  }
}

}  // namespace outbox::simulation
