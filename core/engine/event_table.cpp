#include "engine/event_table.hpp"

#include <algorithm>

namespace outbox::engine {

BatchIndex EventTable::AddBatch(const Reservation& reservation, std::size_t events) {
  if (free_batches_.empty()) {
    free_batches_.push_back(static_cast<BatchIndex>(batches_.size()));
    batches_.emplace_back();
  }
  const BatchIndex b = free_batches_.back();
  free_batches_.pop_back();
  // drain_first reports a change of the routes (a topic's number of partitions changed). Count the change even if no
  // event of this batch is sent: the next batch already uses the new routes and does not report the change again.
  if (reservation.drain_first) ++routes_;
  batches_[b] = {.arena_bytes = reservation.arena_bytes,
                 .until = reservation.until,
                 .token = reservation.token,
                 .left = static_cast<std::uint32_t>(events),
                 .routes = routes_,
                 .in_use = true};
  bytes_ += reservation.arena_bytes;
  if (events == 0) empty_batches_.push_back(b);
  MakeRoom(events);
  return b;
}

void EventTable::MakeRoom(std::size_t events) {
  if (free_.size() >= events) return;
  const auto first = static_cast<EventIndex>(events_.size());
  events_.resize(events_.size() + events - free_.size());
  for (auto e = static_cast<EventIndex>(events_.size()); e-- > first;) free_.push_back(e);
}

std::string EventTable::FindBrokenInvariant() const {
  if (std::string unknown = counts_.FindUnknown(); !unknown.empty()) return unknown;
  std::vector<std::uint32_t> left(batches_.size());
  std::size_t settled = 0, used = 0;
  for (const Event& event : events_) {
    if (event.state() == EventState::kFree) continue;
    ++used;
    if (event.state() == EventState::kSettled) ++settled;
    if (!event.detached) ++left[event.batch];
  }
  if (used != Outstanding()) return "events: a slot is lost or used twice";
  if (settled != settled_.size()) return "events: settled events are not freed at the end of the turn";
  std::uint64_t bytes = 0;
  for (std::size_t b = 0; b < batches_.size(); ++b) {
    if (left[b] != batches_[b].left) return "events: the events that need a batch are miscounted";
    if (batches_[b].in_use) bytes += batches_[b].arena_bytes;
  }
  return bytes == bytes_ ? "" : "events: the bytes of the batches in use are miscounted";
}

}  // namespace outbox::engine
