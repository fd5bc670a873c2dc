// The keys that are held: no event of a held key may be sent, because an earlier event of the key has failed or may
// fail, or because its topic is not known yet. This part also requests the rescans that find the events which were
// dropped while their key was held.
// Owned by Engine. Thread: engine
//
// An event that is read while its key is held is dropped, not kept in memory, because a key may have more events than
// the window holds. When the reason for the hold is over, the dropped events are below the position. So the key stays
// held until a rescan that began afterwards has found them (docs/design/decisions/0008). Rescans are numbered, and all
// keys that wait for one share it.
//
// INVARIANT: while a key is held, no event of it is added to a stream, except its head when that is retried.
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
  // Holds the key because `head` is retried, unless it is already held for a reason other than a rescan or a topic.
  void HoldUnlessHeld(std::uint64_t key, EventIndex head);
  // Holds the key because an event without an answer was dropped, until a rewind reads that event again.
  void HoldUntilRewound(std::uint64_t key);
  // Holds the key because an event of it was dropped whose topic is not known yet. The outstanding events of the key
  // were read before that event and are not affected.
  void HoldForTopic(std::uint64_t key);
  // Called when more is known about topics. Requests a rescan for the events that were dropped because of their topics,
  // including events without a key.
  void FindThoseThatAwaitTopics();
  [[nodiscard]] std::size_t AwaitTopics() const { return await_topics_; }
  // Called when the head is settled and the storage has no failure of it that would hold back the later events of the
  // key. The events that were dropped meanwhile must then be read first.
  void Free(std::uint64_t key, EventIndex head) {
    if (!holds_.empty()) FreeHeld(key, head);
  }
  // Called when the failure of the head is recorded: from now on the storage holds back the later events of the key. If
  // `reading`, the read under way may still bring some of them.
  void Recorded(std::uint64_t key, EventIndex head, bool reading);
  void ReadEnds();
  void Clear() {
    holds_.clear();
    await_topics_ = 0;
  }

  // True if an event of the key that was just read has to be dropped. `rescan_step` = it was read by a step of a
  // rescan. The hold remembers that an event was dropped.
  [[nodiscard]] bool KeepsBack(std::uint64_t key, bool rescan_step) {
    return !holds_.empty() && KeepsBackHeld(key, rescan_step);
  }
  // Remembers that an event of the key was dropped for another reason.
  void NoteDropped(std::uint64_t key);

  [[nodiscard]] bool RescanWanted() const { return rescan_wanted_; }
  void RescanBegins();
  // Called when a rescan has ended. `reached` is OUTBOX_RESCAN_DONE or OUTBOX_RESCAN_ENDED.
  void RescanEnds(std::uint32_t reached);
  // Called when a read rewinds: it finds everything that a rescan would find.
  void Rewound();

  [[nodiscard]] const TransitionCounts<HoldState>& counts() const { return counts_; }
  [[nodiscard]] std::string FindBrokenInvariant(bool reading, bool rescan_or_rewind) const;

 private:
  friend struct PartProbe;  // for the tests

  struct KeyHold {
    HoldState state = HoldState::kNone;
    EventIndex head;
    bool dropped = false;      // an event of the key was dropped while the key was held
    std::uint32_t since;       // kRescan: the last rescan that had begun when the wait began; a later one is needed
    std::uint32_t missed = 0;  // kRescan: the rescan during which an event of the key was last dropped
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
  std::vector<std::uint64_t> barriers_;  // keys whose holds have entered kBarrier during the read under way
  std::uint32_t rescan_ = 0;             // the number of the last rescan that has begun
  bool rescan_wanted_ = false;           // a rescan is needed that has not begun yet
  std::size_t await_topics_ = 0;         // number of holds in kTopic
  TransitionCounts<HoldState> counts_;
};

}  // namespace outbox::engine
