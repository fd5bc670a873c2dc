// Removals that are undone afterwards, by a trigger that inserts the row once more, say: the confirm finds nothing wrong,
// and each read brings the event again, without end. One event of each confirm is remembered, so that such an outbox is
// noticed; from then on, for some time, all of them. Once is no fault: a backup that is restored, a failover and a crash of
// the database bring rows back as well, and these are sent again. An event under another row id is sent however often it
// comes: it may be the old event, or a new one to which the application has given an event id twice. Memory is bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/settings.hpp"
#include "storage/owned_row_id.hpp"

namespace outbox::runtime {

class ReturnedRows {
 public:
  enum class Seen : std::uint8_t { kNew, kBack, kBackElsewhere, kBackAgain };

  // A confirm has removed it. `first` of that confirm.
  void Removed(const RowId& row_id, std::string_view event_id, bool first, engine::Time now) {
    const bool alert = now < alert_until_;
    const auto known = events_.find(event_id);
    if (known != events_.end()) {
      known->second = {row_id, true, alert};
      return;
    }
    if (!first && !alert) return;
    while (order_.size() >= (alert ? kMaxAlert : kMost)) {
      events_.erase(order_.front());
      order_.pop_front();
    }
    events_.emplace(order_.emplace_back(event_id), Event{row_id, true, alert});
  }

  // It was read. Asked for each row, so nothing is allocated. kBackAgain: it was removed after others had come back, so no
  // restored backup explains it.
  Seen Read(const RowId& row_id, std::string_view event_id, engine::Time now) {
    if (events_.empty()) return Seen::kNew;
    const auto known = events_.find(event_id);
    if (known == events_.end() || !known->second.removed) return Seen::kNew;
    const bool same_row = known->second.row_id == row_id;
    known->second.removed = false;
    alert_until_ = now + kAlert;
    if (!same_row) return Seen::kBackElsewhere;
    return known->second.alert ? Seen::kBackAgain : Seen::kBack;
  }

 private:
  static constexpr std::size_t kMost = 1000, kMaxAlert = 20'000;
  static constexpr engine::Time kAlert =
      180 * engine::kSecond;  // a few times as long as the reading may take to begin again
  struct Event {
    storage::OwnedRowId row_id;
    bool removed = false;
    bool alert = false;  // when it was removed
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, Event, Hash, std::equal_to<>> events_;  // by event id
  std::deque<std::string> order_;                                         // the oldest first
  engine::Time alert_until_ = 0;
};

}  // namespace outbox::runtime
