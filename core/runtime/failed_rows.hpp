// Keeps the data that is needed to record the failures of events. Very many failures may wait to be recorded, so the
// batches of these events, which hold the payloads, are not kept. Owned by ShardRunner. Thread: engine.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/engine.hpp"
#include "outbox/plugin.h"
#include "publisher/publisher.hpp"
#include "storage/owned_row_id.hpp"

namespace outbox::runtime {

class FailedRows {
 public:
  struct Row {
    storage::OwnedRowId row_id;
    std::string event_id;
    std::uint32_t attempts = 0;
    // Most failures at one time have the same reason, so events that are added one after the other share equal values.
    std::shared_ptr<const std::string> topic;
    // why the event was refused before sending; null = it was not refused
    std::shared_ptr<const publisher::Refusal> refusal;
  };

  void Add(engine::EventIndex e, const Event& event, const publisher::Refusal* refusal);
  void Remove(engine::EventIndex e) { rows_.erase(e); }
  // Returns the row of the event. The reference is valid until Remove. REQUIRES: the event was added.
  [[nodiscard]] const Row& operator[](engine::EventIndex e) const { return rows_.at(e); }
  // Returns the row of the event, or nullptr if the event was not added.
  [[nodiscard]] const Row* Find(engine::EventIndex e) const;

 private:
  std::unordered_map<engine::EventIndex, Row> rows_;
  // The topic and the refusal of the event that was added last.
  std::shared_ptr<const std::string> topic_;
  std::shared_ptr<const publisher::Refusal> refusal_;
};

}  // namespace outbox::runtime
