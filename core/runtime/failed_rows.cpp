#include "runtime/failed_rows.hpp"

#include "outbox/event.hpp"

namespace outbox::runtime {

void FailedRows::Add(engine::EventIndex e, const Event& event, const publisher::Refusal* refusal) {
  if (!topic_ || *topic_ != event.topic) topic_ = std::make_shared<const std::string>(event.topic);
  const bool same = refusal && refusal_ && refusal->reason == refusal_->reason && refusal->text == refusal_->text;
  if (refusal && !same) refusal_ = std::make_shared<const publisher::Refusal>(*refusal);
  rows_[e] = {event.row_id, std::string(event.event_id), event.attempts, topic_, refusal ? refusal_ : nullptr};
}

const FailedRows::Row* FailedRows::Find(engine::EventIndex e) const {
  if (rows_.empty()) return nullptr;
  const auto found = rows_.find(e);
  return found == rows_.end() ? nullptr : &found->second;
}

}  // namespace outbox::runtime
