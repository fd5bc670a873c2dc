// What the engine is given, and what it asks its surroundings to do, as values.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "engine/release_reason.hpp"
#include "engine/settings.hpp"
#include "outbox/plugin.h"
#include "publisher/report.hpp"

namespace outbox::engine {

using EventIndex = std::uint32_t;  // a slot of the event table, used again after Forget
using BatchIndex = std::uint32_t;  // likewise, after FreeBatch

// What the engine knows of an event that was read.
struct Incoming {
  std::uint64_t key_hash = 0;
  bool has_key = false;
  std::uint32_t attempts = 0;  // failures that are recorded
  publisher::Lane lane = 0;
  std::uint16_t policy = 0;  // index in Settings::policies
  bool refused = false;      // judged before sending: it fails without being sent
  bool doubtful = false;     // the broker may refuse it: it is sent as a trial
  bool returned = false;     // delivered, and back more than once after its row was removed: it is not sent again
  bool waits = false;        // its topic is not known yet: it is dropped, and read again after Engine::TopicsKnown
};

// What one reserve call returned, beside its events.
struct Reservation {
  std::uint64_t arena_bytes = 0;
  bool more = false;         // rows were left for the next read
  bool drain_first = false;  // all that was sent before must be answered first
  // The rows are marked as reserved until then, and what is dropped has to be released. kForever = they are not marked: the
  // lease of the shard covers them.
  Time until = kForever;
  std::uint32_t rescan = OUTBOX_RESCAN_DONE;  // progress of a rescan, OUTBOX_RESCAN_…
  std::uint64_t token = 0;                    // fenced writes about these events carry it
};

// Why the row of a delivered event is still in the outbox.
enum class Kept : std::int32_t {
  kRefused,     // the database refuses to remove it
  kStillThere,  // the removal was carried out, and has removed nothing
  kCameBack,    // it was removed, and read again, more than once
};

struct FailedEvent {
  EventIndex event;
  std::int32_t disposition;  // OUTBOX_RETRY, OUTBOX_BLOCK, OUTBOX_DEAD, OUTBOX_DELIVERED
  Time retry_after;
  // Of the broker's report, or publisher::kEndsRelays; 0 = refused before sending. With OUTBOX_DELIVERED: a Kept.
  std::int32_t error;
  std::uint64_t token = 0;  // of its reservation
};

// The kinds of writes to the storage. Of each kind one is under way at a time.
enum class Write : std::uint8_t { kConfirm, kFail, kRelease, kMark, kRemove };

// The commands, in the order in which an event meets them. Spans are valid while the command is carried out.
namespace command {

// Read at most `rows` rows. Answer: Engine::Reserved or ReserveFailed.
struct Reserve {
  std::uint32_t mode = OUTBOX_READ_ON;  // or OUTBOX_REWIND, OUTBOX_RESCAN
  std::uint32_t rows = 0;
  bool skip_retries = false;  // they would be dropped
};
// Send the events in this order. Answers: Engine::Reported, one report for each event, until a reset.
struct Publish {
  std::uint32_t epoch = 0;  // says the stream, too: publisher::IsTrial
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
// Write the poison mark of the one event that is about to be sent alone; none = remove it. Answer: Engine::Marked.
struct Mark {
  std::span<const EventIndex> events = {};
};
// Remove rows that were recorded as delivered, of any relay. Answer: Engine::Removed.
struct Remove {};
// The events have failed: copy what their record needs, because their batch may be freed before it is written.
struct Detach {
  std::span<const EventIndex> events = {};
};
// The events are not outstanding any more: the next read may return their rows.
struct Forget {
  std::span<const EventIndex> events = {};
};
// No event needs the payload of this batch any more.
struct FreeBatch {
  BatchIndex batch = 0;
};
// Nothing is outstanding under `token` any more. kHandOver: the shard is to be released in the storage. kStop: for good.
struct Released {
  std::uint64_t token = 0;
  ReleaseReason reason = ReleaseReason::kLost;
};

}  // namespace command

using Command = std::variant<command::Reserve, command::Publish, command::Reset, command::Confirm, command::Fail,
                             command::Release, command::Mark, command::Remove, command::Detach, command::Forget,
                             command::FreeBatch, command::Released>;

// A visitor of commands, of one function for each kind: std::visit(Overloaded{[](const command::Publish& publish) {…}, …}).
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace outbox::engine
