// The main stream of a shard: what waits to be sent, what is in flight, and the resets of its producer.
//
// The stream has no gaps and begins at or below the oldest event that is not in the topic yet. So every trouble at the
// broker has one remedy: reset the producer, which cuts off a tail and never tears a hole; confirm what was acknowledged,
// drop the rest, and read again from the oldest row (docs/design/decisions/0005).
//
// INVARIANT: queue() is in the order of reading, and flights are in the order of sending.
// INVARIANT: in_flight() is the number of sent events without an answer, in the window, in the flights and in the lanes.
// INVARIANT: nothing is sent while a reset is under way.
// INVARIANT: while a lane is not proven under the epoch, at most one of its events is in flight.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "engine/backoff.hpp"
#include "engine/event_table.hpp"

namespace outbox::engine {

class SendWindow {
 public:
  SendWindow(const Settings& settings, EventTable& events) : settings_(settings), events_(events) {}

  // ---- the queue: read, and not sent yet ----
  void Enqueue(EventIndex e) { queue_.push_back(e); }
  // Only a relay that is wrong on purpose does this (mutant.hpp).
  void EnqueueFirst(EventIndex e) { queue_.push_front(e); }
  [[nodiscard]] const std::deque<EventIndex>& queue() const { return queue_; }
  EventIndex TakeFirst() {
    const EventIndex e = queue_.front();
    queue_.pop_front();
    return e;
  }
  // Drops with f the events of the queue for which `chosen` holds.
  template <class Chosen, class F>
  void DropQueued(Chosen chosen, F f) {
    std::erase_if(queue_, [&](EventIndex e) {
      if (!chosen(events_[e])) return false;
      f(e);
      return true;
    });
  }

  // ---- sending ----
  // A lane is proven under an epoch once a record of it came back with a real offset: a broker that holds no state for a
  // producer accepts any first sequence, so until then one record goes alone (docs/design/decisions/0007).
  // True: the first event of the queue is added to the flight that is being made up. False: its lane is not open.
  // REQUIRES: `event` is that event, and `until` the end of its reservation.
  [[nodiscard]] bool SendFirst(Event& event, Time until, Time now) {
    LaneState& lane = LaneOf(event.lane);
    if (lane.in_flight > 0 && now - lane.proven > settings_.lane_idle) return false;
    queue_.pop_front();
    making_.until = std::min(making_.until, until);
    ++making_.open;
    ++lane.in_flight;
    ++in_flight_;
    event.flight = next_flight_;
    events_.Move(event, EventState::kSent);
    return true;
  }
  // The flight is complete; returns the number of its events.
  std::uint32_t CloseFlight(Time now);
  // The number of the flight that is made up after all that was sent so far.
  [[nodiscard]] std::uint32_t NextFlight() const { return next_flight_ + (making_.open > 0 ? 1 : 0); }
  // Every event of the flights before this one is answered. Numbers may wrap around.
  [[nodiscard]] bool AllOverBefore(std::uint32_t flight) const {
    return static_cast<std::int32_t>(flight - first_flight_) <= 0;
  }

  // Of the events in flight; see EventTable::Batch. REQUIRES of SetRoutes: nothing is in flight, trials included.
  [[nodiscard]] std::uint16_t routes() const { return routes_; }
  void SetRoutes(std::uint16_t routes) { routes_ = routes; }

  [[nodiscard]] std::uint32_t epoch() const { return epoch_; }
  [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }

  // The first answer to a sent event; returns when it was sent.
  Time Answered(const Event& event, bool acknowledged, Time now) {
    --in_flight_;
    LaneState& lane = LaneOf(event.lane);
    --lane.in_flight;
    if (acknowledged) {
      lane.proven = now;
      failures_ = 0;
    }
    if (event.flight == first_flight_) answered_at_ = now;
    Flight& flight = event.flight == first_flight_ ? flights_.front() : flights_[event.flight - first_flight_];
    const Time sent = flight.at;
    if (--flight.open == 0) EndFlights();
    return sent;
  }
  // A report says that the broker refuses something: it answers.
  void Refused() { refused_ = true; }

  // ---- resets ----
  [[nodiscard]] bool resetting() const { return resetting_; }
  // REQUIRES: no reset is under way. `outage`: the broker does not answer. Returns the epoch that begins with it.
  std::uint32_t BeginReset(bool outage);
  // True: the reset to that epoch is over. Then `pause` is how long to wait before the next read, 0 after no outage.
  [[nodiscard]] bool EndReset(std::uint32_t epoch, Backoff& backoff, Time& pause);
  [[nodiscard]] bool DeliveryOverdue(Time now) const {
    return in_flight_ > 0 && now >= flights_.front().at + settings_.delivery_timeout;
  }
  [[nodiscard]] bool ReservationOfFlightEnds(Time now) const {
    return in_flight_ > 0 && now >= flights_.front().until - settings_.lease_margin;
  }
  // When the first reservation of a queued event ends, less the margin; kForever = nothing is queued.
  [[nodiscard]] Time QueueUntil() const {
    return queue_.empty() ? kForever : events_.Until(queue_.front()) - settings_.lease_margin;
  }
  // When one of the three is the case.
  [[nodiscard]] Time NextDeadline() const;

  // ---- what the broker owes ----
  // Since when the broker owes the next answer for what was sent first: a slow broker that is sent much at once answers
  // each event late. kForever = it owes none.
  [[nodiscard]] Time OwedSince() const {
    return std::min(owed_since_, flights_.empty() ? kForever : std::max(flights_.front().at, answered_at_));
  }
  // It owes an answer since then, even where the same events are sent again meanwhile, or the lease is lost and comes back.
  void Owes(Time since) { owed_since_ = std::min(owed_since_, since); }
  void OwesNothing() { owed_since_ = kForever; }
  [[nodiscard]] bool FlightsOver() const { return flights_.empty(); }

  [[nodiscard]] std::string FindBrokenInvariant() const;

 private:
  friend struct PartProbe;  // of the tests

  // One Publish command, for the deadline of its oldest record without an answer.
  struct Flight {
    Time at;
    Time until = kForever;   // the end of the reservation that ends first
    std::uint32_t open = 0;  // events without an answer
  };
  struct LaneState {
    std::uint32_t epoch, in_flight;
    Time proven;
  };
  void EndFlights();
  [[nodiscard]] LaneState& LaneOf(publisher::Lane lane) {
    if (lane >= lanes_.size()) lanes_.resize(lane + 1);
    LaneState& state = *(lanes_.data() + lane);
    if (state.epoch != epoch_) state = {epoch_, 0, -kForever};
    return state;
  }

  const Settings& settings_;
  EventTable& events_;
  std::deque<EventIndex> queue_;
  std::deque<Flight> flights_;
  Flight making_{};                                   // the flight that is being made up
  std::uint32_t first_flight_ = 0, next_flight_ = 0;  // numbers of flights_.front() and of the next one to be made up
  std::uint32_t in_flight_ = 0;
  std::vector<LaneState> lanes_;
  std::uint16_t routes_ = 0;
  std::uint32_t epoch_ = 1;
  bool resetting_ = false;
  bool outage_ = false;         // the reset under way began as one
  bool refused_ = false;        // a report since the last reset was a refusal
  std::uint32_t failures_ = 0;  // outages in a row
  Time answered_at_ = 0;        // when the oldest flight was answered last, in part or whole
  Time owed_since_ = kForever;  // of flights that an outage has ended
};

}  // namespace outbox::engine
