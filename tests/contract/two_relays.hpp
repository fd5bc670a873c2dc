// Two relays that share the rows of one outbox by marks, for the cases of the group `marks`.
#pragma once

#include <chrono>
#include <thread>

#include "rig.hpp"

namespace outbox::contract {

// The maximum time by which a mark may end before its promised end, because a store that counts in milliseconds drops
// fractions of a millisecond.
inline constexpr Millis kTick{2};

// Two relays on one empty outbox. The constructor skips the case if the store does not mark rows.
struct TwoRelays {
  explicit TwoRelays(const Subject& subject, std::string first_id = "first#1", std::string second_id = "second#1")
      : rig(subject) {
    rig.NeedMarks();
    first = std::make_unique<Relay>(rig, std::move(first_id));
    second = std::make_unique<Relay>(rig, std::move(second_id));
  }

  // Makes one reserve call, and returns the rows. EndMarks can end the marks of these rows: if the plugin cannot end
  // marks on request, the marks last only 300 ms.
  std::vector<Row> ReadToEnd(Relay& relay, Relay::Ask ask = {}) {
    const storage::Batch batch = Ok(relay.TryReserve(ask, rig.CanExpire() ? Millis(30'000) : Millis(300)));
    ends_ = std::max(ends_, std::chrono::steady_clock::now() + batch.lease_left());
    return relay.Take(batch);
  }
  // Ends all marks, or waits until they have ended. REQUIRES: every existing mark was made by ReadToEnd.
  void EndMarks() {
    if (rig.CanExpire()) return rig.ExpireLeases();
    std::this_thread::sleep_until(ends_ + 2 * kTick);
  }

  Rig rig;
  std::unique_ptr<Relay> first, second;

 private:
  std::chrono::steady_clock::time_point ends_{};
};

}  // namespace outbox::contract
