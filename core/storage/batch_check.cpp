#include "storage/batch_check.hpp"

#include <cstdint>
#include <unordered_set>

namespace outbox::storage {
namespace {

// As numbers in decimal ascend: the shorter id is the smaller one.
bool Ascends(std::string_view before, std::string_view after) {
  return before.size() != after.size() ? before.size() < after.size() : before < after;
}

std::optional<std::string> BrokenRuleOfEvent(const outbox_event& event, const ReserveRequest& order) {
  const struct {
    const char* name;
    const outbox_bytes& value;
    bool required;
  } fields[] = {
      {"row_id", event.row_id, true},
      {"event_id", event.event_id, true},
      {"event_type", event.event_type, true},
      {"topic", event.topic, true},
      {"aggregate_id", event.aggregate_id, false},
      {"payload", event.payload, false},
      {"headers", event.headers, false},
  };
  for (const auto& field : fields) {
    if (field.value.data != nullptr) continue;
    if (field.required) return std::string(field.name) + " is NULL";
    if (field.value.size != 0) return std::string(field.name) + " is NULL but has a size";
  }
  if (event.row_id.size == 0) return "row_id is empty";
  if (event.columns == nullptr && event.column_count != 0) return "columns is NULL but has a count";
  for (std::size_t i = 0; i < event.column_count; ++i)
    if (event.columns[i].data == nullptr && event.columns[i].size != 0) return "a column is NULL but has a size";
  if (order.is_outstanding && order.is_outstanding(View(event.row_id)))
    return "the relay holds that row already (is_outstanding said so)";
  return std::nullopt;
}

bool HasDuplicates(const outbox_batch& batch) {
  const auto id = [&batch](std::size_t i) {
    const char* const at = reinterpret_cast<const char*>(batch.events) + i * batch.event_size;
    return View(reinterpret_cast<const outbox_event*>(at)->row_id);
  };
  std::size_t i = 1;
  while (i < batch.count && Ascends(id(i - 1), id(i))) ++i;
  if (i >= batch.count) return false;  // the usual case: rising ids, nothing to remember

  std::unordered_set<std::string_view> seen;
  seen.reserve(batch.count);
  for (i = 0; i < batch.count; ++i)
    if (!seen.insert(id(i)).second) return true;
  return false;
}

}  // namespace

std::optional<std::string> BrokenRule(const outbox_batch& batch, const ReserveRequest& order) {
  if (batch.release == nullptr) return "release is NULL";
  if (batch.count == 0) return std::nullopt;
  if (batch.count > order.max_events)
    return "count is " + std::to_string(batch.count) + ", more than the " + std::to_string(order.max_events) +
           " asked for";
  if (batch.event_size < sizeof(outbox_event) || batch.event_size % alignof(outbox_event) != 0)
    return "event_size is " + std::to_string(batch.event_size) + ", ABI 1 has " + std::to_string(sizeof(outbox_event));
  if (batch.events == nullptr) return "events is NULL but count is " + std::to_string(batch.count);
  if (reinterpret_cast<std::uintptr_t>(batch.events) % alignof(outbox_event) != 0) return "events is not aligned";

  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < batch.count; ++i) {
    const auto& event =
        *reinterpret_cast<const outbox_event*>(reinterpret_cast<const char*>(batch.events) + i * batch.event_size);
    if (auto rule = BrokenRuleOfEvent(event, order)) return "event " + std::to_string(i) + ": " + *rule;
    bytes += event.aggregate_id.size + event.headers.size + event.payload.size;
    for (std::size_t c = 0; c < event.column_count; ++c) bytes += event.columns[c].size;
  }
  if (batch.count > 1 && bytes > order.max_bytes)
    return "its events are " + std::to_string(bytes) + " bytes, more than the " + std::to_string(order.max_bytes) +
           " asked for";
  if (HasDuplicates(batch)) return "two events have the same row_id";
  return std::nullopt;
}

}  // namespace outbox::storage
