#include "storage/batch_check.hpp"
#include "storage/raw_call.hpp"
#include "storage/store.hpp"

namespace outbox::storage {
namespace {

std::int32_t IsOutstanding(void* ctx, const outbox_row_id* row_id) noexcept {
  const auto* const outstanding = static_cast<const OutstandingRows*>(ctx);
  return outstanding->Has(ToRowId(*row_id)) ? 1 : 0;
}

}  // namespace

Session::~Session() { store_->table_->disconnect(raw_); }

Result<Batch> Session::ReserveNewEvents(const ReserveRequest& order, const Call& call) {
  OutstandingRows none;
  OutstandingRows& outstanding = order.outstanding != nullptr ? *order.outstanding : none;
  outbox_reserve ask{};
  ask.struct_size = sizeof ask;
  ask.max_events = order.max_events;
  ask.max_bytes = order.max_bytes;
  ask.reserve_ms = order.reserve_duration.count();
  ask.relay_id = Raw(order.relay_id);
  ask.is_outstanding = IsOutstanding;
  ask.ctx = &outstanding;
  ask.mode = order.mode;
  ask.skip_retries = order.skip_retries ? 1 : 0;

  RawCall asked(call);
  outbox_batch raw{};
  raw.struct_size = sizeof raw;
  const outbox_code code = store_->table_->reserve_new_events(raw_, &ask, &asked.call, &raw, &asked.error);
  if (Status status = store_->Answer("reserve_new_events", code, asked.error); !status.ok()) return status;

  Batch batch(store_, raw);  // the destructor releases the batch, even if it is refused
  if (const auto rule = BrokenRule(raw, order, store_->NumbersRows()))
    return store_->Blame("reserve_new_events", *rule);
  if (const auto rule = Claim(batch, outstanding)) return store_->Blame("reserve_new_events", *rule);
  return batch;
}

Status Session::ConfirmEvent(std::span<const outbox_row> rows, std::vector<std::uint8_t>& kept, const Call& call) {
  RawCall asked(call);
  kept.assign(rows.size(), 0);
  const outbox_code code =
      store_->table_->confirm_event(raw_, rows.data(), rows.size(), &asked.call, kept.data(), &asked.error);
  return store_->Answer("confirm_event", code, asked.error);
}

Status Session::ConfirmFailed(std::span<const outbox_failure> failures, const Call& call) {
  RawCall asked(call);
  const outbox_code code =
      store_->table_->confirm_failed(raw_, failures.data(), failures.size(), &asked.call, &asked.error);
  return store_->Answer("confirm_failed", code, asked.error);
}

Status Session::Release(std::span<const outbox_row_id> row_ids, const Call& call) {
  if (!store_->MarksRows()) return {};
  RawCall asked(call);
  const outbox_code code =
      store_->table_->release_events(raw_, row_ids.data(), row_ids.size(), &asked.call, &asked.error);
  return store_->Answer("release_events", code, asked.error);
}

void Session::Cancel() {
  if (store_->table_->cancel != nullptr) store_->table_->cancel(raw_);
}

}  // namespace outbox::storage
