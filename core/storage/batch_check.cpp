#include "storage/batch_check.hpp"

#include <cstdint>

namespace outbox::storage {

const char* BrokenRowId(const outbox_row_id& id, bool numbers_rows) {
  if (numbers_rows) {
    return id.bytes.data != nullptr || id.bytes.size != 0
               ? "row_id is bytes, and the plugin declares numbers (OUTBOX_ROW_IDS_ARE_NUMBERS)"
               : nullptr;
  }
  if (id.bytes.data == nullptr)
    return "row_id is NULL (a plugin with numeric ids must declare OUTBOX_ROW_IDS_ARE_NUMBERS)";
  return id.bytes.size == 0 ? "row_id is empty" : nullptr;
}

namespace {

std::optional<std::string> BrokenRuleOfEvent(const outbox_event& event, bool numbers_rows) {
  if (const char* const broken = BrokenRowId(event.row_id, numbers_rows)) return broken;
  const struct {
    const char* name;
    const outbox_bytes& value;
    bool required;
  } fields[] = {
      {"event_id", event.event_id, true}, {"event_type", event.event_type, true},
      {"topic", event.topic, true},       {"aggregate_id", event.aggregate_id, false},
      {"payload", event.payload, false},  {"headers", event.headers, false},
  };
  for (const auto& field : fields) {
    if (field.value.data != nullptr) continue;
    if (field.required) return std::string(field.name) + " is NULL";
    if (field.value.size != 0) return std::string(field.name) + " is NULL but has a size";
  }
  if (event.columns == nullptr && event.column_count != 0) return "columns is NULL but has a count";
  for (std::size_t i = 0; i < event.column_count; ++i)
    if (event.columns[i].data == nullptr && event.columns[i].size != 0) return "a column is NULL but has a size";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> BrokenRule(const outbox_batch& batch, const ReserveRequest& order, bool numbers_rows) {
  if (batch.release == nullptr) return "release is NULL";
  if (batch.count == 0) return std::nullopt;
  if (batch.count > order.max_events)
    return "count is " + std::to_string(batch.count) + "; expected at most " + std::to_string(order.max_events) +
           ", as requested";
  if (batch.event_size < sizeof(outbox_event) || batch.event_size % alignof(outbox_event) != 0)
    return "event_size is " + std::to_string(batch.event_size) + "; expected a multiple of " +
           std::to_string(alignof(outbox_event)) + ", at least " + std::to_string(sizeof(outbox_event)) + " (ABI 1)";
  if (batch.events == nullptr) return "events is NULL but count is " + std::to_string(batch.count);
  if (reinterpret_cast<std::uintptr_t>(batch.events) % alignof(outbox_event) != 0) return "events is not aligned";

  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < batch.count; ++i) {
    const auto& event =
        *reinterpret_cast<const outbox_event*>(reinterpret_cast<const char*>(batch.events) + i * batch.event_size);
    if (auto rule = BrokenRuleOfEvent(event, numbers_rows)) return "event " + std::to_string(i) + ": " + *rule;
    bytes += event.aggregate_id.size + event.headers.size + event.payload.size;
    for (std::size_t c = 0; c < event.column_count; ++c) bytes += event.columns[c].size;
  }
  if (batch.count > 1 && bytes > order.max_bytes)
    return "the events have " + std::to_string(bytes) + " bytes; expected at most " + std::to_string(order.max_bytes) +
           ", as requested";
  return std::nullopt;
}

std::optional<std::string> Claim(const Batch& batch, OutstandingRows& outstanding) {
  std::size_t i = 0;
  while (i < batch.size() && outstanding.Add(ToRowId(batch[i].row_id))) ++i;
  if (i == batch.size()) return std::nullopt;
  const RowId again = ToRowId(batch[i].row_id);
  bool twice = false;
  for (std::size_t j = 0; j < i; ++j) {
    const RowId row = ToRowId(batch[j].row_id);
    twice = twice || row == again;
    outstanding.Remove(row);
  }
  return "event " + std::to_string(i) + ": " +
         (twice ? "another event of the batch has the same row_id"
                : "this row is outstanding already (is_outstanding returns 1 for it)");
}

}  // namespace outbox::storage
