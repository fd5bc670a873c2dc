// The batch that ReserveNewEvents fills. Its events are copied into one arena, which the relay frees in one step.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "outbox/event.hpp"

namespace outbox {

// The parameters of a reserve call. A view: valid until ReserveNewEvents returns.
struct ReserveRequest {
  const outbox_reserve& raw;
  // Returns the upper limit for the number of events; at least 1.
  [[nodiscard]] std::uint32_t limit() const { return raw.max_events; }
  // Returns the upper limit for keys, headers, payloads and columns together, in bytes. One event is returned even if
  // it is larger.
  [[nodiscard]] std::uint64_t max_bytes() const { return raw.max_bytes; }
  // Returns the time for which no other relay may receive the events.
  [[nodiscard]] Millis reserve_duration() const { return Millis(raw.reserve_ms); }
  // Returns the id of the relay that makes the request.
  [[nodiscard]] std::string_view relay_id() const { return View(raw.relay_id); }
  // Returns true if the read must begin at the oldest row. If it returns false, it suffices to return the rows above
  // those already read, and the late rows below them. The function returns true also for a step of a rescan, so an
  // adapter that does not implement rescans reads from the oldest row.
  [[nodiscard]] bool from_oldest() const { return raw.mode != OUTBOX_READ_ON; }
  // Returns true if the relay requests one bounded step of a rescan. The adapter reports with BatchBuilder::Rescan how
  // far the step has come.
  [[nodiscard]] bool rescan() const { return raw.mode == OUTBOX_RESCAN; }
  // Returns true if the relay drops retries at present, so the adapter need not return any.
  [[nodiscard]] bool skips_retries() const { return raw.skip_retries != 0; }
  // Returns true if the row is outstanding at the relay. BatchBuilder::Add calls this function by itself; an adapter
  // calls it only to avoid an expensive read of the row.
  [[nodiscard]] bool is_outstanding(const RowId& row_id) const {
    const outbox_row_id id = Raw(row_id);
    return raw.is_outstanding != nullptr && raw.is_outstanding(raw.ctx, &id) != 0;
  }
};

// Builds a batch. outbox/detail/trampolines.hpp creates it before it calls ReserveNewEvents, and finishes it
// afterwards.
//
// Thread: the thread that calls ReserveNewEvents.
class BatchBuilder {
 public:
  // REQUIRES: `request` lives as long as this object.
  explicit BatchBuilder(const ReserveRequest& request) : request_(request), arena_(new Arena) {}

  // Copies the event into the batch, unless its row is outstanding. Returns true also for an outstanding row, which it
  // skips: size() has grown only if the event was added. Returns false if the batch is full and the event was not
  // added: stop reading then; the next call begins with this event.
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

  // Removes all events except the first `count`: an adapter may learn from a later query that the removed events must
  // not be returned yet. The memory of the removed events is freed together with the batch.
  void Truncate(std::size_t count) {
    for (; arena_->events.size() > count; arena_->events.pop_back()) {
      const outbox_event& e = arena_->events.back();
      billed_ -= e.aggregate_id.size + e.headers.size + e.payload.size;
      for (std::size_t i = 0; i < e.column_count; ++i) billed_ -= e.columns[i].size;
    }
  }

  // Returns the number of events in the batch.
  [[nodiscard]] std::size_t size() const { return arena_->events.size(); }
  // Returns the number of bytes in the batch that count towards ReserveRequest::max_bytes.
  [[nodiscard]] std::size_t bytes() const { return billed_; }

  // Reports that the next read can begin at once, although Add has not reported a full batch; for example, if a LIMIT
  // has ended the query.
  void More() { more_ = true; }

  // Reports how far a step of a rescan has come: OUTBOX_RESCAN_DONE, which is also assumed without this call,
  // OUTBOX_RESCAN_GOES_ON or OUTBOX_RESCAN_ENDED.
  void Rescan(std::uint32_t reached) { rescan_ = reached; }

  // Reports the token of the marks on the rows, and for how long the marks last, counted from the start of the call.
  // Only adapters that mark rows, without outbox.leases/1, call the function. If it is not called, the events count as
  // reserved for the requested duration, and their reservation is not fenced.
  //
  // REQUIRES: `left` is above zero, and the marks last at least that long. It may be shorter than the requested
  // duration, and up to a second longer if the store counts whole seconds.
  void Reserved(std::uint64_t token, Millis left) {
    token_ = token;
    lease_left_ = left.count();
  }
  // Reports that the events are reserved as long as the lease of the shard lasts (outbox.leases/1). `token` is the
  // token of that lease.
  void CoveredByShard(std::uint64_t token) {
    token_ = token;
    lease_left_ = 0;
  }

  // Passes the events to the relay, which frees them by out->release. Only outbox/detail/trampolines.hpp calls it,
  // once, after ReserveNewEvents has returned.
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

  // Returns an array of `count` elements from the blocks of the arena, at an aligned address.
  outbox_bytes* TakeColumns(std::size_t count) {
    void* at = Take(count * sizeof(outbox_bytes) + alignof(outbox_bytes));
    std::size_t room = count * sizeof(outbox_bytes) + alignof(outbox_bytes);
    return static_cast<outbox_bytes*>(std::align(alignof(outbox_bytes), count * sizeof(outbox_bytes), at, room));
  }

  // Returns the address of `size` bytes from the current block. The block has at least one byte more, so that an empty
  // value at its end also has a valid address.
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
