// The values that pass between the engine and its shell: the inputs that the shell reports, and the commands that the
// shell carries out. The shell is the runner of the shard (runtime::ShardRunner) or the simulator.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "engine/release_reason.hpp"
#include "engine/settings.hpp"
#include "outbox/plugin.h"
#include "publisher/report.hpp"

namespace outbox::engine {

// The number of a slot of the event table. The slot is reused after command::Forget.
using EventIndex = std::uint32_t;
// The number of a batch. The number is reused after command::FreeBatch.
using BatchIndex = std::uint32_t;

// The properties that the engine needs of an event that was read.
struct Incoming {
  std::uint64_t key_hash = 0;
  bool has_key = false;
  std::uint32_t attempts = 0;  // number of failures that are recorded in the storage
  publisher::Lane lane = 0;
  std::uint16_t policy = 0;  // index in Settings::policies
  bool refused = false;      // true if the event was found unacceptable before sending; it fails without being sent
  bool doubtful = false;     // true if the broker may refuse the event; it is then sent as a trial
  // True if the row was removed after delivery and came back more than once; the event is not sent again.
  bool returned = false;
  // True if the topic is not known yet; the event is dropped, and read again after Engine::TopicsKnown.
  bool waits = false;
};

// The result of a reserve call, without the events.
struct Reservation {
  std::uint64_t arena_bytes = 0;
  bool more = false;         // true if the read left rows for the next read
  bool drain_first = false;  // true if every event sent before must be answered before these events are sent
  // The time until which the rows are marked as reserved. If an event is dropped while its row is marked, its
  // reservation must be released. kForever = the rows are not marked, because the lease of the shard covers them.
  Time until = kForever;
  std::uint32_t rescan = OUTBOX_RESCAN_DONE;  // progress of a rescan: one of OUTBOX_RESCAN_…
  std::uint64_t token = 0;                    // the token that fenced writes about these events carry
};

// Why the row of a delivered event is still in the outbox.
enum class Kept : std::int32_t {
  kRefused,     // the database refuses to remove the row
  kStillThere,  // the database reported no error for the removal, but did not remove the row
  kCameBack,    // the row was removed and read again more than once
};

// A failure that has to be recorded in the storage.
struct FailedEvent {
  EventIndex event;
  std::int32_t disposition;  // OUTBOX_RETRY, OUTBOX_BLOCK, OUTBOX_DEAD, OUTBOX_DELIVERED
  Time retry_after;          // pause before the next attempt or, with OUTBOX_DELIVERED, before the next removal
  // The error from the broker's report, or publisher::kEndsRelays; 0 = refused before sending. With OUTBOX_DELIVERED: a
  // value of Kept.
  std::int32_t error;
  std::uint64_t token = 0;  // the token of the event's reservation
};

// The kinds of writes to the storage. At most one write of each kind is under way at a time.
enum class Write : std::uint8_t { kConfirm, kFail, kRelease, kMark, kRemove };

// The commands, in the order in which they occur in the life of an event. The span in a command is valid only during
// the call of the function to which Engine::TakeCommands passes the command.
namespace command {

// Read at most `rows` rows. Answer: Engine::Reserved or ReserveFailed.
struct Reserve {
  std::uint32_t mode = OUTBOX_READ_ON;  // or OUTBOX_REWIND, OUTBOX_RESCAN
  std::uint32_t rows = 0;
  bool skip_retries = false;  // true if no retries are to be returned, because most of them would be dropped
};
// Send `events` in this order. Answer: one report for each event by Engine::Reported, unless a reset comes first.
struct Publish {
  std::uint32_t epoch = 0;  // identifies the stream, too: see publisher::IsTrial
  std::span<const EventIndex> events = {};
};
// Replace the producer of the stream to which the epoch belongs. Answer: Engine::ResetDone.
struct Reset {
  std::uint32_t epoch = 0;
};
// Remove the rows of delivered events. Answer: Engine::Written(Write::kConfirm).
struct Confirm {
  std::span<const EventIndex> events = {};
};
// Record failures, all under the token of the first one. Answer: Engine::Written(Write::kFail).
struct Fail {
  std::span<const FailedEvent> failures = {};
};
// Release the reservations of events. Answer: Engine::Written(Write::kRelease).
struct Release {
  std::span<const EventIndex> events = {};
};
// Write the poison mark of the one event that is about to be sent alone. If `events` is empty, remove the mark. Answer:
// Engine::Marked.
struct Mark {
  std::span<const EventIndex> events = {};
};
// Remove the rows of events that this or any other relay has recorded as delivered. Answer: Engine::Removed.
struct Remove {};
// Copy the data that is needed to record the failures of `events`, because their batch may be freed before the failures
// are recorded.
struct Detach {
  std::span<const EventIndex> events = {};
};
// Treat `events` as no longer outstanding: the next read may return their rows.
struct Forget {
  std::span<const EventIndex> events = {};
};
// Free the batch: no event needs a payload of the batch any more.
struct FreeBatch {
  BatchIndex batch = 0;
};
// Note that no event is outstanding under `token` any more. For kHandOver the shard must now be released in the
// storage; for kStop the shard stays released for good.
struct Released {
  std::uint64_t token = 0;
  ReleaseReason reason = ReleaseReason::kLost;
};

}  // namespace command

using Command = std::variant<command::Reserve, command::Publish, command::Reset, command::Confirm, command::Fail,
                             command::Release, command::Mark, command::Remove, command::Detach, command::Forget,
                             command::FreeBatch, command::Released>;

// Makes a visitor of commands from one function for each kind of command:
// std::visit(Overloaded{[](const command::Publish& publish) {…}, …}, command).
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace outbox::engine
