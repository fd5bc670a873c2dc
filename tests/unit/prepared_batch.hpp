// Batches of events that own their bytes, as a plugin would return them.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "publisher/publisher.hpp"

namespace outbox::test {

struct Row {
  std::string topic = "orders";
  std::optional<std::string> key = "k";
  std::optional<std::string> payload = "{}";
  std::optional<std::string> headers = std::nullopt;
  std::string event_id = "id";
  std::string event_type = "Placed";
};

// Returns a batch of `rows`. The bytes of the batch are overwritten when they are freed, so that a test notices a
// publisher that reads them later.
inline publisher::PreparedBatch MakeBatch(std::vector<Row> rows) {
  struct Arena {
    std::deque<std::string> bytes;
    std::vector<outbox_event> events;
    outbox_bytes Keep(const std::optional<std::string>& text) {
      return text ? Raw(bytes.emplace_back(*text)) : outbox_bytes{nullptr, 0};
    }
  };
  auto arena = std::make_unique<Arena>();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    outbox_event event{};
    event.row_id.number = static_cast<std::int64_t>(i);
    event.event_id = arena->Keep(row.event_id);
    event.aggregate_id = arena->Keep(row.key);
    event.event_type = arena->Keep(row.event_type);
    event.topic = arena->Keep(row.topic);
    event.payload = arena->Keep(row.payload);
    event.headers = arena->Keep(row.headers);
    arena->events.push_back(event);
  }
  outbox_batch raw{};
  raw.struct_size = sizeof raw;
  raw.event_size = sizeof(outbox_event);
  raw.events = arena->events.data();
  raw.count = arena->events.size();
  raw.owner = arena.release();
  raw.release = [](outbox_batch* batch) {
    const std::unique_ptr<Arena> freed(static_cast<Arena*>(batch->owner));
    for (std::string& bytes : freed->bytes) bytes.assign(bytes.size(), '#');
  };
  publisher::PreparedBatch batch;
  batch.batch = storage::Batch(nullptr, raw);
  return batch;
}

// Returns every event of the batch, numbered from `first`.
inline std::vector<publisher::Outgoing> All(const publisher::PreparedBatch& batch, std::uint32_t first = 0) {
  std::vector<publisher::Outgoing> records;
  for (std::uint32_t i = 0; i < batch.events.size(); ++i) records.push_back({&batch, i, first + i});
  return records;
}

}  // namespace outbox::test
