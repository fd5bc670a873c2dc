// The keys that are held: no event of a held key may be sent, because an earlier event of the key has failed, may fail,
// or has a topic that is not known yet. This part also requests the rescans that find the events which were dropped
// while their key was held.
// Owned by Engine. Thread: engine
//
// An event that is read while its key is held is dropped, not kept in memory, because a key may have more events than
// the window holds. When the reason for the hold is over, the dropped events are below the position. So the key stays
// held until a rescan that began after the end of the reason has found these events (docs/design/decisions/0008).
// Rescans are numbered, and one rescan serves all keys that wait for one.
//
// INVARIANT: while a key is held, no event of the key is added to a stream, except the head when the head is retried.
// INVARIANT: a hold in kBarrier, which waits for the end of a read, is listed in barriers_. The list is empty while no
// read is under way.
// INVARIANT: while a hold is in kRescan, a rescan is wanted or under way, or the next read rewinds.
// INVARIANT: AwaitTopics() is the number of holds in kTopic. Such a hold has dropped an event and has no head.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/command.hpp"
#include "engine/transitions.hpp"

namespace outbox::engine {

class KeyHolds {
 public:
  // Holds the key because of `head`, which has failed (kFailing) or is retried (kRetried). Reads ascend, so the
  // outstanding events of the key come before the head and are not affected; events that are read later are dropped.
  void Hold(std::uint64_t key, EventIndex head, HoldState why);
  // Holds the key because `head` is retried, unless the key is already held for a reason other than a rescan or a
  // topic.
  void HoldUnlessHeld(std::uint64_t key, EventIndex head);
  // Holds the key because an event without an answer was dropped, until a rewind reads that event again.
  void HoldUntilRewound(std::uint64_t key);
  // Holds the key because one of its events was dropped whose topic is not known yet. The outstanding events of the key
  // were read before that event and are not affected.
  void HoldForTopic(std::uint64_t key);
  // Requests a rescan, because more is known about topics: the rescan has to find the events that were dropped because
  // of their topics, including events without a key.
  void FindThoseThatAwaitTopics();
  [[nodiscard]] std::size_t AwaitTopics() const { return await_topics_; }
  // Notes that the head is settled, and that the storage has no failure of the head on record that would hold back the
  // later events of the key. If the key is held because of `head`, it stays held until a rescan has found the events
  // that were dropped during the hold.
  void Free(std::uint64_t key, EventIndex head) {
    if (!holds_.empty()) FreeHeld(key, head);
  }
  // Notes that the failure of the head is recorded: from now on the storage holds back the later events of the key.
  // `reading` is true if a read is under way, which may still return some of these events.
  void Recorded(std::uint64_t key, EventIndex head, bool reading);
  void ReadEnds();
  void Clear() {
    holds_.clear();
    await_topics_ = 0;
  }

  // True if an event of the key that was just read has to be dropped. `rescan_step` is true if a step of a rescan has
  // read it. The hold remembers that an event was dropped.
  [[nodiscard]] bool KeepsBack(std::uint64_t key, bool rescan_step) {
    return !holds_.empty() && KeepsBackHeld(key, rescan_step);
  }
  // Notes that an admitted event of the key was dropped; does nothing if the key is not held.
  void NoteDropped(std::uint64_t key);

  [[nodiscard]] bool RescanWanted() const { return rescan_wanted_; }
  void RescanBegins();
  // Notes that a rescan has ended. `reached` is OUTBOX_RESCAN_DONE or OUTBOX_RESCAN_ENDED.
  void RescanEnds(std::uint32_t reached);
  // Notes that a read rewinds, so that it finds every event that a rescan finds.
  void Rewound();

  [[nodiscard]] const TransitionCounts<HoldState>& counts() const { return counts_; }
  [[nodiscard]] std::string FindBrokenInvariant(bool reading, bool rescan_or_rewind) const;

 private:
  friend struct PartProbe;  // lets the tests set private fields

  struct KeyHold {
    HoldState state = HoldState::kNone;
    EventIndex head;
    bool dropped = false;  // true if an event of the key was dropped while the key was held
    // in kRescan: number of the last rescan that had begun when the wait began; only a later rescan ends the wait
    std::uint32_t since;
    std::uint32_t missed = 0;  // in kRescan: number of the rescan during which an event of the key was last dropped
  };
  using Map = std::unordered_map<std::uint64_t, KeyHold>;
  static constexpr EventIndex kNobody = ~EventIndex{0};

  void FreeHeld(std::uint64_t key, EventIndex head);
  [[nodiscard]] bool KeepsBackHeld(std::uint64_t key, bool rescan_step);
  void To(KeyHold& hold, HoldState state);
  void Lift(Map::iterator hold);
  void AwaitRescan(KeyHold& hold);
  Map::iterator Erase(Map::iterator hold);

  Map holds_;
  std::vector<std::uint64_t> barriers_;  // the keys whose holds have entered kBarrier during the read under way
  std::uint32_t rescan_ = 0;             // the number of the last rescan that has begun
  bool rescan_wanted_ = false;           // true if a rescan is needed and has not begun yet
  std::size_t await_topics_ = 0;         // number of holds in kTopic
  TransitionCounts<HoldState> counts_;
};

}  // namespace outbox::engine
