// What is kept of events that have failed until that is recorded. A great many may wait for it, so their batches, with the
// payload, do not.
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
    // Where many fail it is mostly for one reason, so neighbours share what is equal.
    std::shared_ptr<const std::string> topic;
    std::shared_ptr<const publisher::Refusal> refusal;  // judged before sending; else null
  };

  void Add(engine::EventIndex e, const Event& event, const publisher::Refusal* refusal);
  void Remove(engine::EventIndex e) { rows_.erase(e); }
  // The reference is good until Remove.
  [[nodiscard]] const Row& operator[](engine::EventIndex e) const { return rows_.at(e); }
  [[nodiscard]] const Row* Find(engine::EventIndex e) const;

 private:
  std::unordered_map<engine::EventIndex, Row> rows_;
  std::shared_ptr<const std::string> topic_;  // of the last one
  std::shared_ptr<const publisher::Refusal> refusal_;
};

}  // namespace outbox::runtime
