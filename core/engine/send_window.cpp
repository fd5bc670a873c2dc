#include "engine/send_window.hpp"

#include <utility>

namespace outbox::engine {

std::uint32_t SendWindow::CloseFlight(Time now) {
  const std::uint32_t count = making_.open;
  if (count == 0) return 0;
  making_.at = now;
  flights_.push_back(std::exchange(making_, {}));
  ++next_flight_;
  return count;
}

void SendWindow::EndFlights() {
  while (!flights_.empty() && flights_.front().open == 0) {
    flights_.pop_front();
    ++first_flight_;
    if (!resetting_) owed_since_ = kForever;
  }
}

std::uint32_t SendWindow::BeginReset(bool outage) {
  resetting_ = true;
  outage_ = outage;
  return epoch_ + 1;
}

bool SendWindow::EndReset(std::uint32_t epoch, Backoff& backoff, Time& pause) {
  if (!resetting_ || epoch != epoch_ + 1) return false;
  epoch_ = epoch;
  resetting_ = false;
  flights_.clear();
  first_flight_ = next_flight_;
  in_flight_ = 0;
  pause = 0;
  if (std::exchange(refused_, false) && !OUTBOX_MUTANT(kRefusalIsOutage)) {
    failures_ = 0;
    owed_since_ = kForever;
  } else if (outage_) {
    pause = backoff.After(++failures_, settings_.min_backoff, settings_.max_backoff);
  }
  return true;
}

Time SendWindow::NextDeadline() const {
  if (resetting_) return kForever;
  Time next = QueueUntil();
  if (in_flight_ > 0) {
    next = std::min(
        {next, flights_.front().at + settings_.delivery_timeout, flights_.front().until - settings_.lease_margin});
  }
  return next;
}

std::string SendWindow::FindBrokenInvariant() const {
  std::uint32_t sent = 0, open = 0;
  std::vector<std::uint32_t> of_lane(lanes_.size());
  for (EventIndex e = 0; e < events_.slots(); ++e) {
    if (events_[e].state() != EventState::kSent) continue;
    ++sent;
    if (events_[e].lane >= of_lane.size()) return "send window: an event is in flight in an unknown lane";
    ++of_lane[events_[e].lane];
    if (events_.BatchOf(events_[e]).routes != routes_) return "send window: events of two routes are in flight";
  }
  for (const Flight& flight : flights_) open += flight.open;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    const LaneState& state = lanes_[lane];
    const std::uint32_t counted = state.epoch == epoch_ ? state.in_flight : 0;
    if (counted != of_lane[lane]) return "send window: the events in flight of a lane are miscounted";
    if (counted > 1 && state.proven <= -kForever)
      return "send window: several events are in flight in an unproven lane";
  }
  if (sent != in_flight_ || open != in_flight_) return "send window: events in flight are miscounted";
  if (making_.open > 0) return "send window: a flight was not sent";
  if (next_flight_ - first_flight_ != flights_.size()) return "send window: flights are misnumbered";
  for (std::size_t i = 1; i < flights_.size(); ++i)
    if (flights_[i].at < flights_[i - 1].at) return "send window: flights are out of order";
  for (const EventIndex e : queue_)
    if (events_[e].state() != EventState::kQueued) return "send window: the queue has an event that is not queued";
  return {};
}

}  // namespace outbox::engine
