// What ReserveNewEvents fills: events copied into one arena, which the relay frees in one step.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "outbox/event.hpp"

namespace outbox {

struct ReserveRequest {
  const outbox_reserve& raw;
  [[nodiscard]] std::uint32_t limit() const { return raw.max_events; }
  [[nodiscard]] std::uint64_t max_bytes() const { return raw.max_bytes; }
  [[nodiscard]] Millis reserve_duration() const { return Millis(raw.reserve_ms); }
  [[nodiscard]] std::string_view relay_id() const { return View(raw.relay_id); }
  // Begin again at the oldest row; else rows after the last read (and late ones before it) are enough. True also where
  // the relay asks for a step of a rescan: an adapter that knows no rescan reads from the oldest row instead.
  [[nodiscard]] bool from_oldest() const { return raw.mode != OUTBOX_READ_ON; }
  // The relay asks for one bounded step of a pass beside the reading; answer with BatchBuilder::Rescan.
  [[nodiscard]] bool rescan() const { return raw.mode == OUTBOX_RESCAN; }
  // No retry is wanted now, and one that is brought is brought in vain.
  [[nodiscard]] bool skips_retries() const { return raw.skip_retries != 0; }
  // Does the relay hold this row already? BatchBuilder::Add asks by itself; ask first where fetching a row costs.
  [[nodiscard]] bool is_outstanding(const RowId& row_id) const {
    const outbox_row_id id = Raw(row_id);
    return raw.is_outstanding != nullptr && raw.is_outstanding(raw.ctx, &id) != 0;
  }
};

class BatchBuilder {
 public:
  explicit BatchBuilder(const ReserveRequest& request) : request_(request), arena_(new Arena) {}

  // Copies the event. True also when the relay holds the row already and it was skipped: size() has grown only if the
  // event was taken. False: the batch is full and the event was not taken; stop reading, the next call begins with it.
  bool Add(const Event& e) {
    if (request_.is_outstanding(e.row_id)) return true;
    std::size_t billed = Size(e.aggregate_id) + Size(e.headers) + Size(e.payload);
    for (const outbox_bytes& column : e.columns) billed += column.size;
    const auto taken = arena_->events.size();
    if (taken >= request_.limit() || (taken > 0 && billed_ + billed > request_.max_bytes())) {
      more_ = true;
      return false;
    }
    if (arena_->events.empty()) arena_->events.reserve(std::min<std::size_t>(request_.limit(), 4096));
    billed_ += billed;
    outbox_bytes* const columns = e.columns.empty() ? nullptr : TakeColumns(e.columns.size());
    char* at = Take(billed + e.row_id.bytes().size() + e.event_id.size() + e.event_type.size() + e.topic.size());
    const auto put = [&at](const Bytes& bytes) -> outbox_bytes {
      if (!bytes) return {nullptr, 0};
      if (!bytes->empty()) std::memcpy(at, bytes->data(), bytes->size());
      const outbox_bytes stored{at, bytes->size()};
      at += bytes->size();
      return stored;
    };
    const outbox_row_id row_id = e.row_id.IsNumber() ? Raw(e.row_id) : outbox_row_id{put(e.row_id.bytes()), 0};
    arena_->events.push_back({row_id, put(e.event_id), put(e.aggregate_id), put(e.event_type), put(e.topic),
                              put(e.payload), put(e.headers), e.created_us, e.attempts, 0, nullptr, e.columns.size()});
    if (columns == nullptr) return true;
    std::transform(e.columns.begin(), e.columns.end(), columns,
                   [&put](const outbox_bytes& column) { return put(Maybe(column)); });
    arena_->events.back().columns = columns;
    return true;
  }

  // Takes back all but the first `count` events, where what is read later shows that they may not go out yet. Their memory
  // stays with the batch.
  void Truncate(std::size_t count) {
    for (; arena_->events.size() > count; arena_->events.pop_back()) {
      const outbox_event& e = arena_->events.back();
      billed_ -= e.aggregate_id.size + e.headers.size + e.payload.size;
      for (std::size_t i = 0; i < e.column_count; ++i) billed_ -= e.columns[i].size;
    }
  }

  [[nodiscard]] std::size_t size() const { return arena_->events.size(); }
  [[nodiscard]] std::size_t bytes() const { return billed_; }

  // There is more to read at once, for a reason that Add could not see (a LIMIT in the query, say).
  void More() { more_ = true; }

  // Where the step of a rescan has ended: OUTBOX_RESCAN_DONE (also without this call), ..._GOES_ON or ..._ENDED.
  void Rescan(std::uint32_t reached) { rescan_ = reached; }

  // For adapters without outbox.leases/1 that mark rows: under which token, and for how long from the start of the call
  // the marks last. `left` is more than zero and no longer than the marks. It may be less than the duration asked for, and
  // up to a second more where the store counts whole seconds. Without this call the events count as reserved for the
  // duration asked for, unfenced.
  void Reserved(std::uint64_t token, Millis left) {
    token_ = token;
    lease_left_ = left.count();
  }
  // The shard's lease covers the events (outbox.leases/1).
  void CoveredByShard(std::uint64_t token) {
    token_ = token;
    lease_left_ = 0;
  }

  void Finish(outbox_batch* out) noexcept {
    Arena* arena = arena_.release();
    out->event_size = sizeof(outbox_event);
    out->events = arena->events.data();
    out->count = arena->events.size();
    out->token = token_;
    out->lease_left_ms = lease_left_.value_or(request_.raw.reserve_ms);
    out->more = more_ ? 1 : 0;
    out->rescan = rescan_;
    out->arena_bytes = arena->bytes + arena->events.capacity() * sizeof(outbox_event);
    out->release = [](outbox_batch* batch) {
      delete static_cast<Arena*>(batch->owner);
      batch->owner = nullptr;
    };
    out->owner = arena;
  }

 private:
  struct Arena {
    std::vector<outbox_event> events;
    std::vector<std::unique_ptr<char[]>> blocks;
    std::size_t bytes = 0;
  };
  static constexpr std::size_t kBlock = std::size_t{64} << 10;

  static std::size_t Size(const Bytes& b) { return b ? b->size() : 0; }

  // Of the same blocks, where an array may begin.
  outbox_bytes* TakeColumns(std::size_t count) {
    void* at = Take(count * sizeof(outbox_bytes) + alignof(outbox_bytes));
    std::size_t room = count * sizeof(outbox_bytes) + alignof(outbox_bytes);
    return static_cast<outbox_bytes*>(std::align(alignof(outbox_bytes), count * sizeof(outbox_bytes), at, room));
  }

  // One byte more than needed, so that an empty value at the end still has an address of its own.
  char* Take(std::size_t size) {
    if (size + 1 > left_) {
      left_ = std::max(size + 1, kBlock);
      arena_->blocks.emplace_back(new char[left_]);
      arena_->bytes += left_;
      at_ = arena_->blocks.back().get();
    }
    char* const taken = at_;
    at_ += size;
    left_ -= size;
    return taken;
  }

  const ReserveRequest& request_;
  std::unique_ptr<Arena> arena_;
  std::size_t billed_ = 0, left_ = 0;
  char* at_ = nullptr;
  std::uint64_t token_ = 0;
  std::optional<std::int64_t> lease_left_;
  std::uint32_t rescan_ = OUTBOX_RESCAN_DONE;
  bool more_ = false;
};

}  // namespace outbox
