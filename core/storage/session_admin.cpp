// Methods of Session that use outbox.admin/1.
#include <exception>

#include "storage/batch_check.hpp"
#include "storage/raw_call.hpp"
#include "storage/store.hpp"

namespace outbox::storage {
namespace {

// The state of one call of List, which the callback uses. It is on the stack of List.
struct Listing {
  const Query& query;
  const std::function<bool(const Record&)>& found;
  const bool numbers_rows;
  OutstandingRows rows;  // the rows that were found so far
  std::uint32_t count = 0;
  const char* broken_rule = nullptr;
  std::exception_ptr thrown;
};

// The pause before the relay retries a removal that an operator has requested and that failed. After further failures
// the relay retries the removal as often as configured.
constexpr Millis kRemovedAgain{1'000};

bool Fits(std::int32_t state, std::uint32_t from) {
  if (from == OUTBOX_FROM_DEAD) return state == OUTBOX_STATE_DEAD;
  if (from == OUTBOX_FROM_DELIVERED) return state == OUTBOX_STATE_DELIVERED;
  if (state == OUTBOX_STATE_WAITING || state == OUTBOX_STATE_DELIVERED) return from == OUTBOX_FROM_OUTBOX;
  return state == OUTBOX_STATE_RETRYING || state == OUTBOX_STATE_BLOCKED;
}

const char* BrokenRule(Listing& listing, const outbox_record& raw) {
  if (raw.struct_size < sizeof raw || raw.event == nullptr || raw.event_size < sizeof(outbox_event))
    return "a record is shorter than outbox.admin/1's";
  const outbox_event& event = *raw.event;
  for (const outbox_bytes& required : {event.event_id, event.event_type, event.topic})
    if (required.data == nullptr) return "a required field of an event is absent";
  if (const char* const broken = BrokenRowId(event.row_id, listing.numbers_rows)) return broken;
  if (!Fits(raw.state, listing.query.from)) return "an event is in a state that was not requested";
  if (listing.query.key && Maybe(event.aggregate_id) != listing.query.key) return "an event has another key";
  if (!listing.rows.Add(ToRowId(event.row_id))) return "two events have the same row_id";
  if (++listing.count > listing.query.max) return "more events than requested";
  return nullptr;
}

std::int32_t Found(void* ctx, const outbox_record* raw) noexcept {
  auto& listing = *static_cast<Listing*>(ctx);
  if (listing.broken_rule != nullptr || listing.thrown) return 0;
  try {
    listing.broken_rule = BrokenRule(listing, *raw);
    if (listing.broken_rule != nullptr) return 0;
    Record record;
    record.event = ToEvent(*raw->event);
    record.payload_size = raw->payload_size;
    record.state = raw->state;
    record.shard = raw->shard;
    record.now_us = raw->now_us;
    record.first_failed_us = raw->first_failed_us;
    record.last_failed_us = raw->last_failed_us;
    record.next_try_us = raw->next_try_us;
    record.reason = Maybe(raw->reason);
    record.error = Maybe(raw->error);
    return listing.found(record) ? 1 : 0;
  } catch (...) {
    listing.thrown = std::current_exception();
    return 0;
  }
}

}  // namespace

Status Session::List(const Query& query, const std::function<bool(const Record&)>& found, const Call& call) {
  if (store_->admin_ == nullptr) return store_->Lacks(OUTBOX_ADMIN_V1);
  const outbox_row_id after = Raw(query.after.value_or(RowId())), before = Raw(query.before.value_or(RowId()));
  const outbox_query raw{sizeof raw,
                         query.from,
                         query.after ? &after : nullptr,
                         query.before ? &before : nullptr,
                         Raw(query.key),
                         Raw(query.event_id),
                         query.max,
                         query.contents ? 1u : 0u,
                         Raw(query.topic)};
  Listing listing{query, found, store_->NumbersRows(), {}, 0, nullptr, nullptr};
  RawCall asked(call);
  const outbox_code code = store_->admin_->list(raw_, &raw, &asked.call, &listing, Found, &asked.error);
  if (listing.thrown) std::rethrow_exception(listing.thrown);
  if (listing.broken_rule != nullptr) return store_->Blame("admin.list", listing.broken_rule);
  return store_->Answer("admin.list", code, asked.error);
}

Result<std::uint64_t> Session::Apply(Change change, std::span<const outbox_row_id> row_ids, const Call& call) {
  if (store_->admin_ == nullptr) return store_->Lacks(OUTBOX_ADMIN_V1);
  if (change == Change::kRemoveDelivered) return RemoveDelivered(row_ids, kRemovedAgain, call);
  const outbox_admin_v1& dead = *store_->admin_;
  const auto [name, function] = change == Change::kRequeue   ? std::pair("admin.requeue", dead.requeue)
                                : change == Change::kDiscard ? std::pair("admin.discard", dead.discard)
                                : change == Change::kDiscardBlocked
                                    ? std::pair("admin.discard_blocked", dead.discard_blocked)
                                    : std::pair("admin.retry_now", dead.retry_now);
  RawCall asked(call);
  std::uint64_t changed = 0;
  const outbox_code code = function(raw_, row_ids.data(), row_ids.size(), &asked.call, &changed, &asked.error);
  if (Status status = store_->Answer(name, code, asked.error); !status.ok()) return status;
  if (changed > row_ids.size()) return store_->Blame(name, "it changed more events than it was given");
  return changed;
}

Result<std::uint64_t> Session::RemoveDelivered(std::span<const outbox_row_id> row_ids, Millis again, const Call& call) {
  if (store_->admin_ == nullptr) return store_->Lacks(OUTBOX_ADMIN_V1);
  RawCall asked(call);
  std::uint64_t changed = 0;
  const outbox_code code = store_->admin_->remove_delivered(raw_, row_ids.data(), row_ids.size(), again.count(),
                                                            &asked.call, &changed, &asked.error);
  if (Status status = store_->Answer("admin.remove_delivered", code, asked.error); !status.ok()) return status;
  if (!row_ids.empty() && changed > row_ids.size())
    return store_->Blame("admin.remove_delivered", "it removed more events than it was given");
  return changed;
}

}  // namespace outbox::storage
