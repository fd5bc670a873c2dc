// The main stream of a shard: the events that wait to be sent, the events in flight, and the resets of the producer.
//
// The stream has no gaps and begins at or below the oldest event that is not in the topic yet. So every problem at the
// broker has the same remedy: reset the producer, which cuts off the end of the stream and never leaves a gap in it;
// confirm the acknowledged events, drop the others, and read again from the oldest row (docs/design/decisions/0005).
// Owned by Engine. Thread: engine
//
// INVARIANT: queue() is in the order of reading, and flights are in the order of sending.
// INVARIANT: in_flight() is the number of sent events without an answer. It is also the sum over the flights, and the
// sum over the lanes.
// INVARIANT: nothing is sent while a reset is under way.
// INVARIANT: while a lane is not proven in the current epoch, at most one event of the lane is in flight.
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

  // ---- the queue: events that were read and not sent yet ----
  void Enqueue(EventIndex e) { queue_.push_back(e); }
  // Puts the event at the front of the queue. Used only by a mutant (mutant.hpp).
  void EnqueueFirst(EventIndex e) { queue_.push_front(e); }
  [[nodiscard]] const std::deque<EventIndex>& queue() const { return queue_; }
  EventIndex TakeFirst() {
    const EventIndex e = queue_.front();
    queue_.pop_front();
    return e;
  }
  // Removes from the queue the events for which chosen(event) is true, and calls f(index) for each of them.
  template <class Chosen, class F>
  void DropQueued(Chosen chosen, F f) {
    std::erase_if(queue_, [&](EventIndex e) {
      if (!chosen(events_[e])) return false;
      f(e);
      return true;
    });
  }

  // ---- sending ----
  // Adds the first event of the queue to the flight that is being assembled. Returns false if the event may not be sent
  // yet, because another record of its lane is in flight and the lane is not proven. A lane is proven in an epoch once
  // one of its records was acknowledged with a real offset. Until then a record of the lane is sent alone, because a
  // broker that holds no state for a producer accepts any first sequence number (docs/design/decisions/0007). REQUIRES:
  // `event` is the first event of the queue, and `until` the end of its reservation.
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
  // Completes the flight that is being assembled; returns the number of its events.
  std::uint32_t CloseFlight(Time now);
  // Returns the number of the flight that will follow everything sent so far, including the flight that is being
  // assembled.
  [[nodiscard]] std::uint32_t NextFlight() const { return next_flight_ + (making_.open > 0 ? 1 : 0); }
  // True if every event of the flights before `flight` is answered. Flight numbers may wrap around.
  [[nodiscard]] bool AllOverBefore(std::uint32_t flight) const {
    return static_cast<std::int32_t>(flight - first_flight_) <= 0;
  }

  // Return or set the routes of the events in flight; see EventTable::Batch. REQUIRES, for SetRoutes: nothing is in
  // flight, not even a trial.
  [[nodiscard]] std::uint16_t routes() const { return routes_; }
  void SetRoutes(std::uint16_t routes) { routes_ = routes; }

  [[nodiscard]] std::uint32_t epoch() const { return epoch_; }
  [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }

  // Takes the first answer to a sent event; returns the time at which the event was sent.
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
  // Notes that the broker has refused a record: the broker answers, so the next reset is not an outage.
  void Refused() { refused_ = true; }

  // ---- resets ----
  [[nodiscard]] bool resetting() const { return resetting_; }
  // Begins a reset and returns the epoch to which the reset leads. `outage` is true if the broker does not answer.
  // REQUIRES: no reset is under way.
  std::uint32_t BeginReset(bool outage);
  // If the reset under way leads to `epoch`, ends it and returns true; otherwise returns false. `pause` receives the
  // time to wait before the next read, in microseconds; 0 if there was no outage.
  [[nodiscard]] bool EndReset(std::uint32_t epoch, Backoff& backoff, Time& pause);
  [[nodiscard]] bool DeliveryOverdue(Time now) const {
    return in_flight_ > 0 && now >= flights_.front().at + settings_.delivery_timeout;
  }
  [[nodiscard]] bool ReservationOfFlightEnds(Time now) const {
    return in_flight_ > 0 && now >= flights_.front().until - settings_.lease_margin;
  }
  // Returns the time at which the first reservation of a queued event ends, less lease_margin; kForever if nothing is
  // queued.
  [[nodiscard]] Time QueueUntil() const {
    return queue_.empty() ? kForever : events_.Until(queue_.front()) - settings_.lease_margin;
  }
  // Returns the time at which DeliveryOverdue or ReservationOfFlightEnds becomes true, or QueueUntil is reached,
  // whichever is first.
  [[nodiscard]] Time NextDeadline() const;

  // ---- answers that the broker owes ----
  // Returns the time since which the broker has owed its next answer about the oldest flight; kForever if it owes none.
  // Each answer restarts the count, because a slow broker to which much is sent at once answers each event late.
  [[nodiscard]] Time OwedSince() const {
    return std::min(owed_since_, flights_.empty() ? kForever : std::max(flights_.front().at, answered_at_));
  }
  // Notes that the broker has owed an answer since `since`. That time does not change if the same events are sent again
  // meanwhile, or if the lease is lost and regained.
  void Owes(Time since) { owed_since_ = std::min(owed_since_, since); }
  void OwesNothing() { owed_since_ = kForever; }
  [[nodiscard]] bool FlightsOver() const { return flights_.empty(); }

  [[nodiscard]] std::string FindBrokenInvariant() const;

 private:
  friend struct PartProbe;  // lets the tests set private fields

  // The events of one Publish command. They share the deadline for their answers.
  struct Flight {
    Time at;                 // the time at which the events were sent
    Time until = kForever;   // the end of the reservation that ends first
    std::uint32_t open = 0;  // number of events without an answer
  };
  // `proven` is the time of the last acknowledgement under `epoch`; -kForever = there was none, the lane is not proven.
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
  Flight making_{};                                   // the flight that is being assembled
  std::uint32_t first_flight_ = 0, next_flight_ = 0;  // the numbers of flights_.front() and of making_
  std::uint32_t in_flight_ = 0;
  std::vector<LaneState> lanes_;
  std::uint16_t routes_ = 0;
  std::uint32_t epoch_ = 1;
  bool resetting_ = false;
  bool outage_ = false;         // true if the reset under way began because of an outage
  bool refused_ = false;        // true if a report since the last reset was a refusal
  std::uint32_t failures_ = 0;  // number of consecutive outages
  Time answered_at_ = 0;        // when an event of the oldest flight was last answered
  Time owed_since_ = kForever;  // the earliest time passed to Owes: flights that a reset has ended still count
};

}  // namespace outbox::engine
