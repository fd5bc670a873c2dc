// Delivered events, until their rows are removed from the outbox. A confirm that the database refuses is narrowed down by
// halves to the rows that it refuses to remove; each of these is recorded as delivered instead, and the others are removed
// (docs/design/decisions/0006).
//
// INVARIANT: every acknowledged event is in exactly one place: waiting, being confirmed, or in a narrowed group.
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
  // `gather`: reports are still to come. Each confirm costs the database a transaction, so events that are acknowledged
  // closely one after the other are confirmed together: until there is a batch of them, or the first one has waited.
  // True: confirming() is to be confirmed.
  [[nodiscard]] bool Take(Time now, bool gather);
  [[nodiscard]] std::span<const EventIndex> confirming() const { return confirming_; }
  [[nodiscard]] WriteSlot& slot() { return slot_; }
  // A confirm is under way.
  [[nodiscard]] bool busy() const { return slot_.busy(); }
  [[nodiscard]] Time NextCall(bool gather) const;

  // The confirm was refused. The event if it was the only one; else half of the events are asked for alone next.
  [[nodiscard]] std::optional<EventIndex> Narrow();
  // The confirm was carried out.
  void Done() { confirming_.clear(); }

  // Rows stay although their removal was asked for: `NoteKept` for one that stays, `NoteRemoved` for one that goes.
  void NoteKept(Time now) {
    if (kept_in_a_row_++ == 0) kept_since_ = now;
  }
  void NoteRemoved() { kept_in_a_row_ = 0; }
  // Since when nothing was removed though there was something to remove; kForever = rows are removed. One row among others
  // is no trouble of all, and one that is alone does not show that nothing can be removed.
  [[nodiscard]] Time RemovesNothingSince() const { return kept_in_a_row_ >= kEnoughKept ? kept_since_ : kForever; }

  [[nodiscard]] std::string FindBrokenInvariant(const EventTable& events) const;

 private:
  friend struct PartProbe;  // of the tests

  static constexpr std::uint32_t kEnoughKept = 2;
  [[nodiscard]] Time GatheredAt(bool gather) const;

  const Settings& settings_;
  WriteSlot slot_;
  std::vector<EventIndex> waiting_, confirming_;
  std::vector<std::vector<EventIndex>>
      narrowed_;  // the rest of a refused confirm, in groups; the last one is asked next
  Time first_waits_since_ = 0;
  std::uint32_t kept_in_a_row_ = 0;
  Time kept_since_ = 0;
};

}  // namespace outbox::engine
