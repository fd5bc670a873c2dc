// The states of the engine's parts, and the transitions between them. Each table of transitions is the only list of the
// transitions of its part: CheckInvariants checks the part against it, the simulator reports which transitions no run
// has taken, and the state charts in docs/design/engine.md are generated from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace outbox::engine {

enum class EventState : std::uint8_t {
  kFree,          // the slot holds no event
  kQueued,        // the event was read and has not been sent
  kSent,          // the event was handed to the publisher in the main stream
  kTried,         // the event was handed to the publisher as a trial
  kUnknown,       // the event was reported, but not as acknowledged; it is read again after the reset that follows
  kAcknowledged,  // the broker has acknowledged the event; its row has to be removed
  kFailing,       // the event has failed or its row cannot be removed, and the storage has to record that fact
  kReleasing,     // the event was dropped; its reservation has to be released, because the storage marks rows
  kSettled,       // nothing remains to be done for the event; the slot becomes free at the end of the turn
};

// Why no event of a key may be sent.
enum class HoldState : std::uint8_t {
  kNone,     // the key is not held
  kRetried,  // a failed event was read again and is outstanding, or the trial of an event was given up
  kFailing,  // the failure of an event is not recorded yet
  kBarrier,  // the failure is recorded, but the read under way may still return later events of the key
  kRescan,   // later events were dropped; a rescan that begins from now on has to find them
  kTopic,    // an event of unknown topic was dropped; no event of the key is sent until that event is read again
};

enum class LeaseState : std::uint8_t {
  kStandby,      // the relay has no lease of the shard, and no event of the shard is outstanding
  kHolding,      // the relay owns the shard and delivers it
  kHandingOver,  // the shard is drained under the lease, so that another relay can own it
  kStopping,     // the shard is drained under the lease, because the relay stops
  kLost,         // the lease is lost; outstanding events are given up
  kLostAtStop,   // the lease is lost and the relay stops; outstanding events are given up
  kStopped,      // the relay has stopped and never holds the shard again
};

// The poison mark on the event that is sent alone in the first step of a slow start.
enum class MarkState : std::uint8_t {
  kNone,
  kWanted,    // the event waits to be marked, and is not sent before that
  kWriting,   // the storage is writing the mark
  kSet,       // the event is marked, and may be sent
  kClearing,  // the mark has to be removed
};

enum class ReadState : std::uint8_t {
  kIdle,
  kReading,     // a read from the position or from the oldest row is under way
  kRescanStep,  // a step of a rescan is under way
};

template <class State>
struct Transition {
  State from, to;
  std::string_view when;  // the label of the transition in the chart
};

// Specialised for each enumeration of states above, with kTitle, kNames (in the order of the enumerators), kInitial and
// kTransitions.
template <class State>
struct Chart;

template <>
struct Chart<EventState> {
  static constexpr std::string_view kTitle = "event";
  static constexpr std::array<std::string_view, 9> kNames = {
      "free", "queued", "sent", "tried", "unknown", "acknowledged", "failing", "releasing", "settled"};
  static constexpr EventState kInitial = EventState::kFree;
  static constexpr Transition<EventState> kTransitions[] = {
      {EventState::kFree, EventState::kQueued, "read"},
      {EventState::kQueued, EventState::kSent, "its lane is open"},
      {EventState::kQueued, EventState::kTried, "it is sent as a trial"},
      {EventState::kQueued, EventState::kFailing, "refused before sending, blamed, or removed and read again"},
      {EventState::kQueued, EventState::kReleasing, "dropped"},
      {EventState::kQueued, EventState::kSettled, "dropped"},
      {EventState::kSent, EventState::kAcknowledged, "acknowledged"},
      {EventState::kSent, EventState::kUnknown, "refused with its request, or no success is known"},
      {EventState::kSent, EventState::kReleasing, "the reset is done"},
      {EventState::kSent, EventState::kSettled, "the reset is done"},
      {EventState::kTried, EventState::kAcknowledged, "acknowledged"},
      {EventState::kTried, EventState::kFailing, "refused"},
      {EventState::kTried, EventState::kReleasing, "the reset is done, or refused after the lease"},
      {EventState::kTried, EventState::kSettled, "the reset is done, or refused after the lease"},
      {EventState::kUnknown, EventState::kReleasing, "the reset is done"},
      {EventState::kUnknown, EventState::kSettled, "the reset is done"},
      {EventState::kAcknowledged, EventState::kSettled, "its row is removed"},
      {EventState::kAcknowledged, EventState::kFailing, "its row stays"},
      {EventState::kFailing, EventState::kSettled, "its failure is recorded, or given up"},
      {EventState::kReleasing, EventState::kSettled, "its reservation is released, or has ended"},
      {EventState::kSettled, EventState::kFree, "the turn ends"},
  };
};

template <>
struct Chart<HoldState> {
  static constexpr std::string_view kTitle = "key hold";
  static constexpr std::array<std::string_view, 6> kNames = {"none",    "retried", "failing",
                                                             "barrier", "rescan",  "topic"};
  static constexpr HoldState kInitial = HoldState::kNone;
  static constexpr Transition<HoldState> kTransitions[] = {
      {HoldState::kNone, HoldState::kRetried, "a failed event is read again, or a trial is given up"},
      {HoldState::kNone, HoldState::kFailing, "an event fails"},
      {HoldState::kNone, HoldState::kRescan, "a trial without an answer is dropped"},
      {HoldState::kNone, HoldState::kTopic, "the topic of an event is not known yet"},
      {HoldState::kRetried, HoldState::kFailing, "it fails again"},
      {HoldState::kRetried, HoldState::kRescan, "it is confirmed or dropped"},
      {HoldState::kFailing, HoldState::kBarrier, "recorded during a read"},
      {HoldState::kFailing, HoldState::kRescan, "recorded or given up, and later events were dropped"},
      {HoldState::kFailing, HoldState::kNone, "recorded, and no later event was dropped"},
      {HoldState::kBarrier, HoldState::kNone, "the read ends, and no later event was dropped"},
      {HoldState::kBarrier, HoldState::kRescan, "the read ends, and later events were dropped"},
      {HoldState::kBarrier, HoldState::kFailing, "an event that was read before fails"},
      {HoldState::kRescan, HoldState::kRetried, "a failed event is read again"},
      {HoldState::kRescan, HoldState::kFailing, "an event fails"},
      {HoldState::kRescan, HoldState::kNone, "the rescan has ended, or the reading is rewound"},
      {HoldState::kRescan, HoldState::kTopic, "the topic of an event is not known yet"},
      {HoldState::kTopic, HoldState::kRetried, "a trial is given up"},
      {HoldState::kTopic, HoldState::kFailing, "an event that was read before fails"},
      {HoldState::kTopic, HoldState::kRescan, "more is known of topics"},
      {HoldState::kTopic, HoldState::kNone, "the reading is rewound"},
  };
};

template <>
struct Chart<LeaseState> {
  static constexpr std::string_view kTitle = "shard lease";
  static constexpr std::array<std::string_view, 7> kNames = {"standby", "holding",      "handing over", "stopping",
                                                             "lost",    "lost at stop", "stopped"};
  static constexpr LeaseState kInitial = LeaseState::kStandby;
  static constexpr Transition<LeaseState> kTransitions[] = {
      {LeaseState::kStandby, LeaseState::kHolding, "leased"},
      {LeaseState::kStandby, LeaseState::kStopped, "the relay stops"},
      {LeaseState::kHolding, LeaseState::kHandingOver, "another relay is to own the shard"},
      {LeaseState::kHolding, LeaseState::kStopping, "the relay stops"},
      {LeaseState::kHolding, LeaseState::kLost, "lost, or leased under another token"},
      {LeaseState::kHandingOver, LeaseState::kStandby, "drained"},
      {LeaseState::kHandingOver, LeaseState::kStopping, "the relay stops"},
      {LeaseState::kHandingOver, LeaseState::kLost, "lost, or leased under another token"},
      {LeaseState::kStopping, LeaseState::kStopped, "drained"},
      {LeaseState::kStopping, LeaseState::kLostAtStop, "lost"},
      {LeaseState::kLost, LeaseState::kStandby, "nothing is outstanding any more"},
      {LeaseState::kLost, LeaseState::kLostAtStop, "the relay stops"},
      {LeaseState::kLostAtStop, LeaseState::kStopped, "nothing is outstanding any more"},
  };
};

template <>
struct Chart<MarkState> {
  static constexpr std::string_view kTitle = "poison mark";
  static constexpr std::array<std::string_view, 5> kNames = {"none", "wanted", "writing", "set", "clearing"};
  static constexpr MarkState kInitial = MarkState::kNone;
  static constexpr Transition<MarkState> kTransitions[] = {
      {MarkState::kNone, MarkState::kWanted, "the first step has read one event"},
      {MarkState::kNone, MarkState::kClearing, "the slow start is over"},
      {MarkState::kWanted, MarkState::kNone, "the event was dropped, or the lease is lost"},
      {MarkState::kWanted, MarkState::kWriting, "the storage is asked"},
      {MarkState::kWriting, MarkState::kWanted, "the write failed"},
      {MarkState::kWriting, MarkState::kSet, "written"},
      {MarkState::kWriting, MarkState::kClearing, "too many owners had marked it, or it was dropped meanwhile"},
      {MarkState::kWriting, MarkState::kNone, "the lease is lost"},
      {MarkState::kSet, MarkState::kNone, "the step is over, or the stream was reset without an outage"},
      {MarkState::kSet, MarkState::kClearing, "the broker does not answer"},
      {MarkState::kClearing, MarkState::kNone, "removed, or the lease is lost"},
  };
};

template <>
struct Chart<ReadState> {
  static constexpr std::string_view kTitle = "reading";
  static constexpr std::array<std::string_view, 3> kNames = {"idle", "reading", "rescan step"};
  static constexpr ReadState kInitial = ReadState::kIdle;
  static constexpr Transition<ReadState> kTransitions[] = {
      {ReadState::kIdle, ReadState::kReading, "there is room, and the poll is due"},
      {ReadState::kIdle, ReadState::kRescanStep, "a rescan is wanted, and its step is due"},
      {ReadState::kReading, ReadState::kIdle, "answered"},
      {ReadState::kRescanStep, ReadState::kIdle, "answered"},
  };
};

// Counts how often each transition was taken. Counting costs an instruction or two, so every build counts; FindUnknown
// compares the counts with the table of transitions.
template <class State>
class TransitionCounts {
 public:
  void Count(State from, State to) { ++taken_[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)]; }

  // Calls f(from, to, times) for each transition that was taken.
  template <class F>
  void Each(F f) const {
    for (std::size_t from = 0; from < kStates; ++from)
      for (std::size_t to = 0; to < kStates; ++to)
        if (taken_[from][to] > 0) f(static_cast<State>(from), static_cast<State>(to), taken_[from][to]);
  }
  // Returns a text that names a transition which was taken and is not in the table, or an empty text if there is none.
  [[nodiscard]] std::string FindUnknown() const {
    std::string unknown;
    Each([&](State from, State to, std::uint64_t) {
      for (const Transition<State>& known : Chart<State>::kTransitions)
        if (known.from == from && known.to == to) return;
      unknown = std::string(Chart<State>::kTitle) + ": " + std::string(NameOf(from)) + " -> " +
                std::string(NameOf(to)) + " is no transition";
    });
    return unknown;
  }
  [[nodiscard]] static std::string_view NameOf(State state) {
    return Chart<State>::kNames[static_cast<std::size_t>(state)];
  }

 private:
  static constexpr std::size_t kStates = Chart<State>::kNames.size();
  std::uint64_t taken_[kStates][16] = {};  // the second dimension is a power of two, so that counting is cheap
};

// Holds the state of a part and counts its transitions.
template <class State>
class StateMachine {
 public:
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool Is(State state) const { return state_ == state; }
  // Changes the state to `to`; does nothing if the part is already in that state.
  void To(State to) {
    if (to == state_) return;
    counts_.Count(state_, to);
    state_ = to;
  }
  [[nodiscard]] const TransitionCounts<State>& counts() const { return counts_; }

 private:
  State state_ = Chart<State>::kInitial;
  TransitionCounts<State> counts_;
};

}  // namespace outbox::engine
