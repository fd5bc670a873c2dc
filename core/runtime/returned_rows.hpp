// Detects removals that are undone afterwards, for example by a trigger that inserts the row again. In such an outbox
// each confirm succeeds, and the event is read again without end. One event of each confirm is remembered, so that such
// an outbox is noticed; after a row has come back, all events are remembered for some time.
//
// A row that comes back once is no error: a restored backup, a failover and a crash of the database bring rows back as
// well, and their events are sent again. An event that comes back under another row id is always sent: it may be the
// old event, or a new one to which the application has given the same event id. The memory is bounded. Owned by
// ShardRunner. Thread: engine.
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
  enum class Seen : std::uint8_t {
    kNew,            // no removal of the event is remembered
    kBack,           // the row was removed and has come back
    kBackElsewhere,  // the event was removed and has come back under another row id
    // the row has come back, and had been removed after another row had come back: no restored backup explains it
    kBackAgain,
  };

  // Notes that a confirm has removed the row. `first` is true if the row is the first one of that confirm.
  void Removed(const RowId& row_id, std::string_view event_id, bool first, engine::Time now) {
    const bool alert = now < alert_until_;
    const auto known = events_.find(event_id);
    if (known != events_.end()) {
      known->second = {row_id, true, alert};
      return;
    }
    if (!first && !alert) return;
    while (order_.size() >= (alert ? kMaxAlert : kMaxNormal)) {
      events_.erase(order_.front());
      order_.pop_front();
    }
    events_.emplace(order_.emplace_back(event_id), Event{row_id, true, alert});
  }

  // Notes that the row was read, and classifies the row by the removals that are remembered. Called for each row, so it
  // allocates nothing.
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
  // Maximum number of events that are remembered normally, and after a row has come back.
  static constexpr std::size_t kMaxNormal = 1000, kMaxAlert = 20'000;
  // The time for which all events are remembered after a row has come back: a few times as long as it may take until a
  // read begins at the oldest row again.
  static constexpr engine::Time kAlert = 180 * engine::kSecond;
  struct Event {
    storage::OwnedRowId row_id;
    bool removed = false;  // true if the row was removed and not read since
    bool alert = false;    // true if another row had come back not long before this one was removed
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, Event, Hash, std::equal_to<>> events_;  // by event id
  std::deque<std::string> order_;                                         // the keys of events_, oldest first
  engine::Time alert_until_ = 0;
};

}  // namespace outbox::runtime
