// Holds acknowledged events until their rows are removed from the outbox. If the database refuses a confirm, the events
// of the confirm are split in halves, repeatedly, until the rows that the database refuses to remove are identified.
// The events of these rows are recorded as delivered instead of being removed, and all other rows are removed
// (docs/design/decisions/0006).
// Owned by Engine. Thread: engine
//
// INVARIANT: every acknowledged event is in exactly one of these: waiting_, confirming_, or a group of narrowed_.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/event_table.hpp"
#include "engine/write_queue.hpp"

namespace outbox::engine {

class Confirms {
 public:
  explicit Confirms(const Settings& settings) : settings_(settings) {}

  void Add(EventIndex e, Time now) {
    if (waiting_.empty()) first_waits_since_ = now;
    waiting_.push_back(e);
  }
  // Returns true if the events of confirming() are to be confirmed now. `gather` is true if more reports are expected.
  // Each confirm costs the database a transaction, so while `gather` is true, events that are acknowledged shortly
  // after one another are confirmed together: once there is a batch of them, or once the first one has waited for
  // confirm_gather.
  [[nodiscard]] bool Take(Time now, bool gather);
  [[nodiscard]] std::span<const EventIndex> confirming() const { return confirming_; }
  [[nodiscard]] WriteSlot& slot() { return slot_; }
  // True while a confirm is under way.
  [[nodiscard]] bool busy() const { return slot_.busy(); }
  [[nodiscard]] Time NextCall(bool gather) const;

  // Reacts to the refusal of a confirm by the database. If the confirm had a single event, returns that event.
  // Otherwise makes one half of its events the next confirm, keeps the other half for later, and returns nothing.
  [[nodiscard]] std::optional<EventIndex> Narrow();
  // Notes that the confirm under way has succeeded.
  void Done() { confirming_.clear(); }

  // Count the consecutive rows that stay in the outbox although their removal was requested: NoteKept adds a row to the
  // count; NoteRemoved sets the count to zero, because a row was removed.
  void NoteKept(Time now) {
    if (kept_in_a_row_++ == 0) kept_since_ = now;
  }
  void NoteRemoved() { kept_in_a_row_ = 0; }
  // Returns the time since which nothing was removed although there were rows to remove; kForever if rows are being
  // removed. A single row that stays does not count, because it may be the only one that cannot be removed.
  [[nodiscard]] Time RemovesNothingSince() const { return kept_in_a_row_ >= kEnoughKept ? kept_since_ : kForever; }

  [[nodiscard]] std::string FindBrokenInvariant(const EventTable& events) const;

 private:
  friend struct PartProbe;  // lets the tests set private fields

  static constexpr std::uint32_t kEnoughKept = 2;
  [[nodiscard]] Time GatheredAt(bool gather) const;

  const Settings& settings_;
  WriteSlot slot_;
  std::vector<EventIndex> waiting_, confirming_;
  // The events of a refused confirm that are still to be confirmed, in groups; the last group is next.
  std::vector<std::vector<EventIndex>> narrowed_;
  Time first_waits_since_ = 0;
  std::uint32_t kept_in_a_row_ = 0;
  Time kept_since_ = 0;
};

}  // namespace outbox::engine
