// Keys none of whose events may be sent, because an earlier event of the key has failed or may fail, or nothing is known of
// its topic yet, and the rescans that find the events which were dropped meanwhile.
//
// An event that is read while its key is held is dropped, not kept: a key may have more events than the window holds. When
// the reason for the hold is over, the dropped events stand below the position, so the key stays held until a rescan that
// began afterwards has met them (docs/design/decisions/0008). Rescans are numbered, and all keys that wait share one.
//
// INVARIANT: while a key is held no event of it is added to a stream, except the head that is tried again.
// INVARIANT: a hold that awaits the end of a read (kBarrier) is listed in barriers_, and only while a read is under way.
// INVARIANT: while a hold awaits a rescan (kRescan), one is wanted, or under way, or the reading is to be rewound.
// INVARIANT: AwaitTopics() is the number of holds that await a topic (kTopic). Such a hold has dropped an event, and no head.
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
  // `head` has failed (kFailing) or is to be tried again (kRetried). Reads ascend, so what is outstanding of the key already
  // stands before the head and goes its way; what arrives later is dropped.
  void Hold(std::uint64_t key, EventIndex head, HoldState why);
  // The same, unless the key is held for another reason than a rescan or a topic.
  void HoldUnlessHeld(std::uint64_t key, EventIndex head);
  // An event without an answer was dropped and is read again by a rewind; until then its key is held.
  void HoldUntilRewound(std::uint64_t key);
  // An event of the key is dropped because its topic is not known yet. What is outstanding of the key was read before it and
  // goes its way.
  void HoldForTopic(std::uint64_t key);
  // More is known of topics: a rescan has to find what was dropped, also events without a key.
  void FindThoseThatAwaitTopics();
  [[nodiscard]] std::size_t AwaitTopics() const { return await_topics_; }
  // The head is out of the way without a failure that the storage knows: what was dropped meanwhile must be read first.
  void Free(std::uint64_t key, EventIndex head) {
    if (!holds_.empty()) FreeHeld(key, head);
  }
  // The failure of the head is recorded, so the storage keeps back the later events of the key from now on. The read under
  // way may still bring some.
  void Recorded(std::uint64_t key, EventIndex head, bool reading);
  void ReadEnds();
  void Clear() {
    holds_.clear();
    await_topics_ = 0;
  }

  // Has to be dropped: an event of the key that was just read, in a rescan step or not. Remembers that one was.
  [[nodiscard]] bool KeepsBack(std::uint64_t key, bool rescan_step) {
    return !holds_.empty() && KeepsBackHeld(key, rescan_step);
  }
  // An event of the key was dropped for another reason.
  void NoteDropped(std::uint64_t key);

  [[nodiscard]] bool RescanWanted() const { return rescan_wanted_; }
  void RescanBegins();
  // `reached`: OUTBOX_RESCAN_DONE or OUTBOX_RESCAN_ENDED.
  void RescanEnds(std::uint32_t reached);
  // The reading starts again at the oldest row, which finds all that a rescan would.
  void Rewound();

  [[nodiscard]] const TransitionCounts<HoldState>& counts() const { return counts_; }
  [[nodiscard]] std::string FindBrokenInvariant(bool reading, bool rescan_or_rewind) const;

 private:
  friend struct PartProbe;  // of the tests

  struct KeyHold {
    HoldState state = HoldState::kNone;
    EventIndex head;
    bool dropped = false;      // an event of the key was dropped because of it
    std::uint32_t since;       // kRescan: the last rescan that had begun by then, which is too old
    std::uint32_t missed = 0;  // kRescan: the rescan during which a read brought an event that was dropped
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
  std::vector<std::uint64_t> barriers_;  // keys whose hold was a kBarrier since the read under way began
  std::uint32_t rescan_ = 0;             // the number of the last rescan that has begun
  bool rescan_wanted_ = false;           // one that begins from now on
  std::size_t await_topics_ = 0;         // holds that are kTopic
  TransitionCounts<HoldState> counts_;
};

}  // namespace outbox::engine
