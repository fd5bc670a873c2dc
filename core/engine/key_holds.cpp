#include "engine/key_holds.hpp"

namespace outbox::engine {

void KeyHolds::Hold(std::uint64_t key, EventIndex head, HoldState why) {
  KeyHold& hold = holds_[key];
  To(hold, why);
  hold.head = head;
}

void KeyHolds::HoldUnlessHeld(std::uint64_t key, EventIndex head) {
  const auto hold = holds_.find(key);
  if (hold == holds_.end() || hold->second.state == HoldState::kRescan || hold->second.state == HoldState::kTopic)
    Hold(key, head, HoldState::kRetried);
}

void KeyHolds::HoldUntilRewound(std::uint64_t key) {
  KeyHold& hold = holds_[key];
  if (hold.state == HoldState::kNone) {
    To(hold, HoldState::kRescan);
    hold.head = kNobody;
  }
  // The rescan under way, if any, began while the event was outstanding, so the rescan may have passed over the event.
  if (hold.state == HoldState::kRescan) hold.since = rescan_;
  hold.dropped = true;
}

// Holds the key for a topic. If the hold was in kRescan before, the rescan has returned the event whose topic is not
// known.
void KeyHolds::HoldForTopic(std::uint64_t key) {
  KeyHold& hold = holds_[key];
  To(hold, HoldState::kTopic);
  hold.head = kNobody;
  hold.dropped = true;
}

void KeyHolds::FindThoseThatAwaitTopics() {
  rescan_wanted_ = true;
  if (await_topics_ == 0) return;
  for (auto& [key, hold] : holds_)
    if (hold.state == HoldState::kTopic) AwaitRescan(hold);
}

void KeyHolds::FreeHeld(std::uint64_t key, EventIndex head) {
  const auto hold = holds_.find(key);
  if (hold != holds_.end() && hold->second.head == head) AwaitRescan(hold->second);
}

void KeyHolds::Recorded(std::uint64_t key, EventIndex head, bool reading) {
  const auto hold = holds_.find(key);
  if (hold == holds_.end() || hold->second.head != head) return;
  if (!reading) return Lift(hold);
  To(hold->second, HoldState::kBarrier);
  barriers_.push_back(key);
}

void KeyHolds::ReadEnds() {
  for (const std::uint64_t key : barriers_) {
    const auto hold = holds_.find(key);
    if (hold != holds_.end() && hold->second.state == HoldState::kBarrier) Lift(hold);
  }
  barriers_.clear();
}

// Ends the hold, or makes it wait for a rescan if an event of the key was dropped. From now on the storage holds back
// the later events of the key, but the dropped event may come *before* the failed event, and must be read before the
// failed event is retried.
void KeyHolds::Lift(Map::iterator hold) {
  if (hold->second.dropped)
    AwaitRescan(hold->second);
  else
    Erase(hold);
}

void KeyHolds::AwaitRescan(KeyHold& hold) {
  To(hold, HoldState::kRescan);
  hold.head = kNobody;
  hold.since = rescan_;
  rescan_wanted_ = true;
}

bool KeyHolds::KeepsBackHeld(std::uint64_t key, bool rescan_step) {
  const auto hold = holds_.find(key);
  if (hold == holds_.end()) return false;
  // A rescan that began after the reason for the hold was over returns all events of the key, from the first one on.
  if (rescan_step && hold->second.state == HoldState::kRescan && hold->second.since != rescan_) return false;
  hold->second.dropped = true;
  hold->second.missed = rescan_;
  return true;
}

void KeyHolds::NoteDropped(std::uint64_t key) {
  if (const auto hold = holds_.find(key); hold != holds_.end()) hold->second.dropped = true;
}

void KeyHolds::RescanBegins() {
  rescan_wanted_ = false;
  ++rescan_;
}

// Ends the holds that waited for the rescan. Events that other reads have dropped during the rescan are above the row
// at which the rescan ends, so their keys wait for another rescan. But if the rescan has reached the current position
// (OUTBOX_RESCAN_DONE), it has found these events, too, and their holds end.
void KeyHolds::RescanEnds(std::uint32_t reached) {
  for (auto it = holds_.begin(); it != holds_.end();) {
    KeyHold& hold = it->second;
    if (hold.state != HoldState::kRescan || hold.since == rescan_) {
      ++it;
    } else if (reached == OUTBOX_RESCAN_DONE || hold.missed != rescan_) {
      it = Erase(it);
    } else {
      AwaitRescan(hold);
      ++it;
    }
  }
}

void KeyHolds::Rewound() {
  rescan_wanted_ = false;
  for (auto it = holds_.begin(); it != holds_.end();) {
    const HoldState state = it->second.state;
    it = state == HoldState::kRescan || state == HoldState::kTopic ? Erase(it) : ++it;
  }
}

void KeyHolds::To(KeyHold& hold, HoldState state) {
  if (hold.state != state) counts_.Count(hold.state, state);
  if (hold.state == HoldState::kTopic) --await_topics_;
  if (state == HoldState::kTopic) ++await_topics_;
  hold.state = state;
}

KeyHolds::Map::iterator KeyHolds::Erase(Map::iterator hold) {
  To(hold->second, HoldState::kNone);
  return holds_.erase(hold);
}

std::string KeyHolds::FindBrokenInvariant(bool reading, bool rescan_or_rewind) const {
  if (std::string unknown = counts_.FindUnknown(); !unknown.empty()) return unknown;
  if (!reading && !barriers_.empty()) return "key holds: a barrier outlives the read that it waits for";
  std::size_t await_topics = 0;
  for (const auto& [key, hold] : holds_) {
    if (hold.state == HoldState::kTopic) ++await_topics;
    if (hold.state == HoldState::kNone) return "key holds: a key is listed and not held";
    if (hold.state == HoldState::kRescan && !rescan_or_rewind)
      return "key holds: a key waits for a rescan, and none will begin";
    if (hold.state == HoldState::kRescan && hold.head != kNobody)
      return "key holds: a key waits for a rescan and for an event";
    if (hold.state == HoldState::kTopic && (hold.head != kNobody || !hold.dropped))
      return "key holds: a key waits for a topic and has a head, or has no dropped event";
  }
  return await_topics == await_topics_ ? "" : "key holds: the keys that wait for a topic are miscounted";
}

}  // namespace outbox::engine
