// Tests for what reason a key is on hold, and for which rescan the key waits.
#include "engine/key_holds.hpp"

#include <algorithm>

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

struct HoldScript {
  Settings settings;
  KeyHolds holds;
  bool reading = false, follows = true;  // The arguments of FindBrokenInvariant.
  std::vector<std::string> taken;

  std::string Do(Words& words) {
    const auto key = [&words] { return static_cast<std::uint64_t>(words.Number()); };
    const auto head = [&words] { return static_cast<EventIndex>(words.Number()); };
    if (words.Is("hold")) {  // Arguments: KEY HEAD STATE
      const std::uint64_t held = key();
      const EventIndex by = head();
      if (words.Is("retried")) holds.Hold(held, by, HoldState::kRetried);
      if (words.Is("failing")) holds.Hold(held, by, HoldState::kFailing);
      if (words.Is("barrier")) holds.Hold(held, by, HoldState::kBarrier);
      if (words.Is("rescan")) holds.Hold(held, by, HoldState::kRescan);
      if (words.Is("none")) holds.Hold(held, by, HoldState::kNone);
    } else if (words.Is("hold-unless-held")) {
      const std::uint64_t held = key();
      holds.HoldUnlessHeld(held, head());
    } else if (words.Is("hold-until-rewound")) {
      holds.HoldUntilRewound(key());
    } else if (words.Is("await-topic")) {
      holds.HoldForTopic(key());
    } else if (words.Is("topics-known")) {
      holds.FindThoseThatAwaitTopics();
    } else if (words.Is("free")) {
      const std::uint64_t held = key();
      holds.Free(held, head());
    } else if (words.Is("recorded")) {  // Arguments: KEY HEAD
      const std::uint64_t held = key();
      const EventIndex by = head();
      holds.Recorded(held, by, reading);
    } else if (words.Is("read-begins")) {
      reading = true;
    } else if (words.Is("read-ends")) {
      reading = false;
      holds.ReadEnds();
    } else if (words.Is("clear")) {
      holds.Clear();
    } else if (words.Is("read")) {
      return holds.KeepsBack(key(), false) ? "kept back" : "goes on";
    } else if (words.Is("rescanned")) {
      return holds.KeepsBack(key(), true) ? "kept back" : "goes on";
    } else if (words.Is("dropped")) {
      holds.NoteDropped(key());
    } else if (words.Is("rescan-begins")) {
      holds.RescanBegins();
    } else if (words.Is("rescan-done")) {
      holds.RescanEnds(OUTBOX_RESCAN_DONE);
    } else if (words.Is("rescan-ended")) {
      holds.RescanEnds(OUTBOX_RESCAN_ENDED);
    } else if (words.Is("rewound")) {
      holds.Rewound();
    } else if (words.Is("nothing-follows")) {
      follows = false;
    } else if (words.Is("no-read")) {
      reading = false;
    }
    const std::string waiting =
        holds.AwaitTopics() > 0 ? ", " + std::to_string(holds.AwaitTopics()) + " await topics" : "";
    return Taken() + waiting + (holds.RescanWanted() ? ", rescan wanted" : "");
  }
  // Returns the transitions that the current line of the script has caused, separated by spaces.
  std::string Taken() {
    std::string text;
    std::vector<std::string> all;
    holds.counts().Each([&](HoldState from, HoldState to, std::uint64_t times) {
      const std::string name = std::string(TransitionCounts<HoldState>::NameOf(from)) + "-" +
                               std::string(TransitionCounts<HoldState>::NameOf(to));
      all.insert(all.end(), times, name);
    });
    for (const std::string& name : all) {
      const auto before = std::find(taken.begin(), taken.end(), name);
      if (before == taken.end())
        text += (text.empty() ? "" : " ") + name;
      else
        taken.erase(before);
    }
    taken = all;
    return text;
  }
  [[nodiscard]] std::string Broken() const { return holds.FindBrokenInvariant(reading, follows); }
};

const Line kFails{"hold 1 5 failing", "none-failing"};
const Line kRetried{"hold 1 5 retried", "none-retried"};
const Line kFreed{"free 1 5", "retried-rescan, rescan wanted"};
const Line kKept{"read 1", "kept back"};
const Line kGoesOn{"read 1", "goes on"};

TEST_CASE("a failed event holds its key until its failure is recorded") {
  Play<HoldScript>({
      {"no hold", {kGoesOn, {"rescanned 1", "goes on"}, {"free 1 5", ""}, {"recorded 1 5", ""}, {"dropped 1", ""}}},
      {"recorded, and nothing was dropped", {kFails, {"read 2", "goes on"}, {"recorded 1 5", "failing-none"}, kGoesOn}},
      {"recorded, and a later event was read meanwhile",
       {kFails, kKept, {"recorded 1 5", "failing-rescan, rescan wanted"}, kKept}},
      {"recorded, and a later event was read by a rescan meanwhile",
       {kFails, {"rescanned 1", "kept back"}, {"recorded 1 5", "failing-rescan, rescan wanted"}, kKept}},
      {"recorded, and a later event was dropped for another reason",
       {kFails, {"dropped 2", ""}, {"dropped 1", ""}, {"recorded 1 5", "failing-rescan, rescan wanted"}}},
      {"recorded for another event", {kFails, {"recorded 1 6", ""}, {"recorded 2 5", ""}, kKept}},
      {"recorded during a read, which brings nothing of the key",
       {kFails, {"read-begins", ""}, {"recorded 1 5", "failing-barrier"}, {"read-ends", "barrier-none"}, kGoesOn}},
      {"recorded during a read, which brings an event of the key",
       {kFails,
        {"read-begins", ""},
        {"recorded 1 5", "failing-barrier"},
        kKept,
        {"read-ends", "barrier-rescan, rescan wanted"},
        kKept}},
      {"recorded during a read, and an earlier event fails",
       {kFails,
        {"read-begins", ""},
        {"recorded 1 5", "failing-barrier"},
        {"hold 1 4 failing", "barrier-failing"},
        {"read-ends", ""},
        kKept,
        {"recorded 1 5", ""},
        {"recorded 1 4", "failing-rescan, rescan wanted"}}},
      {"two keys behind one read: what is over is not asked again by the next read",
       {kFails,
        {"hold 2 6 failing", "none-failing"},
        {"read-begins", ""},
        {"recorded 1 5", "failing-barrier"},
        {"recorded 2 6", "failing-barrier"},
        {"read-ends", "barrier-none barrier-none"},
        {"read-begins", ""},
        {"read-ends", ""}}},
      {"given up, as where the lease is lost: what was dropped must be read first",
       {kFails, {"free 1 4", ""}, {"free 1 5", "failing-rescan, rescan wanted"}, kKept}},
      {"the lease is over", {kFails, {"clear", ""}, kGoesOn}},
  });
}

TEST_CASE("an event that is tried again holds its key until it is settled") {
  Play<HoldScript>({
      {"settled: a rescan follows although nothing was dropped", {kRetried, kKept, kFreed, kKept}},
      {"it fails again", {kRetried, {"hold 1 5 failing", "retried-failing"}, {"recorded 1 5", "failing-none"}}},
      {"a key that is not held", {{"hold-unless-held 1 5", "none-retried"}, kFreed}},
      {"a key that is held for another event",
       {kFails, {"hold-unless-held 1 6", ""}, {"free 1 6", ""}, {"recorded 1 5", "failing-none"}}},
      {"a key that is retried for another event", {kRetried, {"hold-unless-held 1 6", ""}, {"free 1 6", ""}, kFreed}},
      {"a key that waits for a rescan",
       {kRetried,
        kFreed,
        {"hold-unless-held 1 6", "rescan-retried, rescan wanted"},
        {"free 1 5", ", rescan wanted"},
        {"free 1 6", "retried-rescan, rescan wanted"}}},
      {"a key that waits for a rescan, and an event fails",
       {kRetried, kFreed, {"hold 1 7 failing", "rescan-failing, rescan wanted"}}},
  });
}

TEST_CASE("a key waits for a rescan that began after its failed event was settled") {
  Play<HoldScript>({
      {"a rescan that begins afterwards meets its events",
       {kRetried,
        kFreed,
        {"rescanned 1", "kept back"},
        {"rescan-begins", ""},
        {"rescanned 1", "goes on"},
        {"rescan-done", "rescan-none"},
        kGoesOn}},
      {"the rescan under way is too old",
       {kRetried,
        {"rescan-begins", ""},
        {"rescanned 1", "kept back"},
        kFreed,
        {"rescanned 1", "kept back"},
        {"rescan-done", ", rescan wanted"},
        kKept,
        {"rescan-begins", ""},
        {"rescanned 1", "goes on"},
        {"rescan-done", "rescan-none"}}},
      {"a read dropped an event during the rescan, which has reached the position as it stands",
       {kRetried, kFreed, {"rescan-begins", ""}, kKept, {"rescan-done", "rescan-none"}}},
      {"a read dropped an event during the rescan, which has reached the position as it stood",
       {kRetried,
        kFreed,
        {"rescan-begins", ""},
        kKept,
        {"rescan-ended", ", rescan wanted"},
        kKept,
        {"rescan-begins", ""},
        {"rescanned 1", "goes on"},
        {"rescan-ended", "rescan-none"}}},
      {"a read dropped an event before the rescan, which has reached the position as it stood",
       {kRetried, kFreed, kKept, {"rescan-begins", ""}, {"rescan-ended", "rescan-none"}}},
      {"a rescan frees no key that is held for an event",
       {kRetried,
        {"hold 2 6 failing", "none-failing"},
        {"rescan-begins", ""},
        {"rescanned 1", "kept back"},
        {"rescanned 2", "kept back"},
        {"rescan-done", ""},
        kKept}},
      {"two keys share a rescan, and a third one does not",
       {kRetried,
        {"hold 2 6 retried", "none-retried"},
        {"hold 3 7 retried", "none-retried"},
        kFreed,
        {"free 2 6", "retried-rescan, rescan wanted"},
        {"rescan-begins", ""},
        {"free 3 7", "retried-rescan, rescan wanted"},
        {"rescan-done", "rescan-none rescan-none, rescan wanted"},
        {"rescan-begins", ""},
        {"rescan-done", "rescan-none"}}},
  });
}

TEST_CASE("a rewind ends the wait for a rescan, and no other hold") {
  Play<HoldScript>({
      {"a rescan that is wanted", {kRetried, kFreed, {"rewound", "rescan-none"}, kGoesOn}},
      {"other holds",
       {kRetried,
        {"hold 2 6 failing", "none-failing"},
        {"hold 3 7 retried", "none-retried"},
        {"free 3 7", "retried-rescan, rescan wanted"},
        {"rewound", "rescan-none"},
        kKept,
        {"read 2", "kept back"},
        {"read 3", "goes on"}}},
      {"a trial without an answer: its key is held, and no rescan is wanted",
       {{"hold-until-rewound 1", "none-rescan"}, kKept, {"rewound", "rescan-none"}, kGoesOn}},
      {"a trial without an answer: the rescan that is under way brings nothing of its key either",
       {{"rescan-begins", ""},
        {"hold-until-rewound 1", "none-rescan"},
        {"rescanned 1", "kept back"},
        {"rescan-done", ""},
        {"rewound", "rescan-none"}}},
      {"all holds are given up during a read",
       {kFails, {"read-begins", ""}, {"recorded 1 5", "failing-barrier"}, {"clear", ""}, {"read-ends", ""}}},
      {"the first rescan ends, and no event of the key was read meanwhile",
       {kRetried, kFreed, {"rescan-begins", ""}, {"rescan-ended", "rescan-none"}}},
      {"a trial without an answer in a key that is held for another event",
       {kFails, {"hold-until-rewound 1", ""}, {"rewound", ""}, {"recorded 1 5", "failing-rescan, rescan wanted"}}},
      {"a trial without an answer: the rescan under way has passed over it",
       {{"rescan-begins", ""},
        {"hold-until-rewound 1", "none-rescan"},
        {"rescanned 1", "kept back"},
        {"rescan-done", ""},
        kKept,
        {"rewound", "rescan-none"}}},
      {"a trial without an answer in a key that waits for the rescan under way",
       {kRetried,
        kFreed,
        {"rescan-begins", ""},
        {"hold-until-rewound 1", ""},
        {"rescanned 1", "kept back"},
        {"rescan-done", ""},
        kKept,
        {"rewound", "rescan-none"}}},
      {"a trial without an answer, and no event frees its key",
       {{"hold-until-rewound 1", "none-rescan"}, {"free 1 0", ""}, {"recorded 1 0", ""}, kKept}},
  });
}

TEST_CASE("a key is held until the topic of an event is known, and a rescan or a rewind has read the event") {
  const Line awaits{"await-topic 1", "none-topic, 1 await topics"};
  const Line kept{"read 1", "kept back"};
  const Line known{"topics-known", "topic-rescan, rescan wanted"};
  Play<HoldScript>({
      {"a rescan",
       {awaits,
        kept,
        {"rescanned 1", "kept back"},
        known,
        kKept,
        {"rescan-begins", ""},
        {"rescanned 1", "goes on"},
        {"rescan-done", "rescan-none"},
        kGoesOn}},
      {"nothing of the key was read since", {awaits, known, {"rescan-begins", ""}, {"rescan-ended", "rescan-none"}}},
      {"the rescan under way is too old",
       {{"rescan-begins", ""}, awaits, known, {"rescanned 1", "kept back"}, {"rescan-done", ", rescan wanted"}, kKept}},
      {"the rescan brings the event, and its topic is still not known",
       {awaits,
        known,
        {"rescan-begins", ""},
        {"rescanned 1", "goes on"},
        {"await-topic 1", "rescan-topic, 1 await topics"},
        {"rescanned 1", "kept back"},
        {"rescan-done", ", 1 await topics"},
        kept,
        known}},
      {"a rewind", {awaits, {"rewound", "topic-none"}, kGoesOn}},
      {"an event that was read before fails",
       {awaits, {"hold 1 5 failing", "topic-failing"}, {"recorded 1 5", "failing-rescan, rescan wanted"}}},
      {"a trial of an event that was read before is given up",
       {awaits, {"hold-unless-held 1 5", "topic-retried"}, {"topics-known", ", rescan wanted"}, kFreed}},
      {"an event that was read before is settled", {awaits, {"free 1 5", ", 1 await topics"}, kept}},
      {"a trial without an answer: the rewind brings what awaits its topic",
       {awaits, {"hold-until-rewound 1", ", 1 await topics"}, {"rewound", "topic-none"}}},
      {"events without a key", {{"topics-known", ", rescan wanted"}}},
      {"two keys, of which one is held for an event",
       {awaits,
        {"await-topic 2", "none-topic, 2 await topics"},
        {"hold 3 7 failing", "none-failing, 2 await topics"},
        {"topics-known", "topic-rescan topic-rescan, rescan wanted"},
        {"read 3", "kept back"}}},
      {"the lease is over", {awaits, {"clear", ""}, kGoesOn}},
  });
}

TEST_CASE("a broken hold is found") {
  Play<HoldScript>({
      {"a transition that is not in the chart",
       {{"hold 1 5 barrier", "none-barrier !! key hold: none -> barrier is no transition"}}},
      {"a barrier that outlives the read",
       {kFails,
        {"read-begins", ""},
        {"recorded 1 5", "failing-barrier"},
        {"no-read", " !! key holds: a barrier outlives the read that it waits for"}}},
      {"a key that is listed and not held", {{"hold 1 5 none", " !! key holds: a key is listed and not held"}}},
      {"a rescan that never begins",
       {kRetried,
        kFreed,
        {"nothing-follows", ", rescan wanted !! key holds: a key waits for a rescan, and none will begin"}}},
      {"a key that waits for a rescan and an event",
       {{"hold 1 5 rescan", "none-rescan !! key holds: a key waits for a rescan and for an event"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
