// The outstanding events of a shard, in slots that are reused, and the batches in which they were read.
// Owned by Engine. Thread: engine
//
// INVARIANT: states change only along the transitions of Chart<EventState>.
// INVARIANT: a batch is in use until each of its events is settled or detached; until then its payload is kept.
// INVARIANT: bytes() is the sum of arena_bytes of the batches in use, so it never exceeds what was read.
// INVARIANT: two batches differ in `routes` if the routes changed between their reads. The routes change, for example,
// when a topic gets more partitions. The same key may then go to another lane, so events of both batches are never in
// flight together.
// INVARIANT: a settled event stays in its slot until FreeSettled, so that commands of the same turn can still name its
// row.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/command.hpp"
#include "engine/transitions.hpp"

namespace outbox::engine {

// An event that is outstanding.
struct Event {
  std::uint64_t key_hash = 0;
  BatchIndex batch = 0;
  std::uint32_t position = 0;  // position of the event in its batch
  publisher::Lane lane = 0;
  // The number of the flight in which the event was sent. For a trial: the number of a flight; the trial is sent once
  // every earlier flight is answered.
  std::uint32_t flight = 0;
  std::uint32_t attempts = 0;
  std::uint16_t policy = 0;
  bool ordered : 1 = false;   // true if the event has a key and the events of a key are kept in order
  bool doubtful : 1 = false;  // true if the broker may refuse the event
  bool detached : 1 = false;  // true if the batch may be freed before the event is settled

  [[nodiscard]] EventState state() const { return state_; }

 private:
  friend class EventTable;  // changes the state and counts the transitions
  EventState state_ = EventState::kFree;
};
static_assert(sizeof(Event) == 32, "a power of two, so that the place of an event is found quickly");

class EventTable {
 public:
  struct Batch {
    std::uint64_t arena_bytes = 0;
    Time until = kForever;
    std::uint64_t token = 0;
    std::uint32_t left = 0;    // number of events that are neither settled nor detached
    std::uint16_t routes = 0;  // number of changes of the routes up to this batch; may wrap around
    bool in_use = false;
  };

  BatchIndex AddBatch(const Reservation& reservation, std::size_t events);
  // Adds an event of the batch and returns its index. REQUIRES: AddBatch has made room for the event.
  EventIndex Add(BatchIndex batch, std::uint32_t position, const Incoming& event, bool order_keys) {
    const EventIndex e = free_.back();
    free_.pop_back();
    Event& added = (*this)[e];
    added.key_hash = event.key_hash;
    added.batch = batch;
    added.position = position;
    added.lane = event.lane;
    added.flight = 0;
    added.attempts = event.attempts;
    added.policy = event.policy;
    added.ordered = order_keys && event.has_key;
    added.doubtful = event.doubtful;
    added.detached = false;
    Move(added, EventState::kQueued);
    return e;
  }

  // Returns the event in slot e. REQUIRES: e < slots(). The function does not check e, because each event is looked up
  // about ten times; the engine checks an index that comes from outside (Engine::Awaits).
  [[nodiscard]] const Event& operator[](EventIndex e) const { return *(events_.data() + e); }
  [[nodiscard]] Event& operator[](EventIndex e) { return *(events_.data() + e); }
  [[nodiscard]] EventIndex slots() const { return static_cast<EventIndex>(events_.size()); }
  void Move(Event& event, EventState to) {
    counts_.Count(event.state_, to);
    event.state_ = to;
  }
  void Settle(EventIndex e) {
    Move((*this)[e], EventState::kSettled);
    settled_.push_back(e);
  }
  // Marks the event as failing. Recording the failure does not need the payload, so the batch need not be kept for this
  // event.
  void Detach(EventIndex e) {
    Move(events_[e], EventState::kFailing);
    detached_.push_back(e);
  }

  [[nodiscard]] std::uint32_t Outstanding() const { return static_cast<std::uint32_t>(events_.size() - free_.size()); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  // Returns the batch in which the event was read.
  [[nodiscard]] const Batch& BatchOf(const Event& event) const { return batches_[event.batch]; }
  [[nodiscard]] Time Until(EventIndex e) const { return batches_[events_[e].batch].until; }
  [[nodiscard]] std::uint64_t Token(EventIndex e) const { return batches_[events_[e].batch].token; }

  // detached(), settled() and the three Free functions are called at the end of a turn. detached() and settled() return
  // the events that were detached or settled during the turn. FreeDetached and FreeSettled give up the batches of the
  // detached and of the settled events, FreeSettled also frees the slots, and FreeEmptyBatches gives up the batches
  // that were read without events. Each Free function calls on_free_batch for each batch that became free.
  [[nodiscard]] std::span<const EventIndex> detached() const { return detached_; }
  template <class F>
  void FreeDetached(F on_free_batch);
  [[nodiscard]] std::span<const EventIndex> settled() const { return settled_; }
  template <class F>
  void FreeSettled(F on_free_batch);
  template <class F>
  void FreeEmptyBatches(F on_free_batch);

  [[nodiscard]] const TransitionCounts<EventState>& counts() const { return counts_; }
  [[nodiscard]] std::string FindBrokenInvariant() const;

 private:
  friend struct PartProbe;  // lets the tests set private fields

  template <class F>
  void Leave(BatchIndex batch, F on_free_batch) {
    if (--batches_[batch].left == 0) Free(batch, on_free_batch);
  }
  template <class F>
  void Free(BatchIndex batch, F on_free_batch) {
    batches_[batch].in_use = false;
    bytes_ -= batches_[batch].arena_bytes;
    free_batches_.push_back(batch);
    on_free_batch(batch);
  }
  void MakeRoom(std::size_t events);

  std::vector<Event> events_;
  std::vector<EventIndex> free_;
  std::vector<Batch> batches_;
  std::vector<BatchIndex> free_batches_, empty_batches_;
  std::uint64_t bytes_ = 0;
  std::uint16_t routes_ = 0;
  std::vector<EventIndex> detached_, settled_;
  TransitionCounts<EventState> counts_;
};

template <class F>
void EventTable::FreeDetached(F on_free_batch) {
  for (const EventIndex e : detached_) {
    events_[e].detached = true;
    Leave(events_[e].batch, on_free_batch);
  }
  detached_.clear();
}

template <class F>
void EventTable::FreeSettled(F on_free_batch) {
  for (const EventIndex e : settled_) {
    Event& event = (*this)[e];
    Move(event, EventState::kFree);
    free_.push_back(e);
    if (!event.detached) Leave(event.batch, on_free_batch);
  }
  settled_.clear();
}

template <class F>
void EventTable::FreeEmptyBatches(F on_free_batch) {
  for (const BatchIndex b : empty_batches_) Free(b, on_free_batch);
  empty_batches_.clear();
}

}  // namespace outbox::engine
