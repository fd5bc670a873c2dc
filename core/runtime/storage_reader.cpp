#include "runtime/storage_reader.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/clock.hpp"

namespace outbox::runtime {
namespace {

// Returns how long the events of marked rows may be in flight, in microseconds; `left` is how long the rows are marked.
engine::Time SendableFor(Millis left) { return Micros(left) * 4 / 5; }

Status ReleaseRows(storage::Session& session, const storage::Batch& batch, Call call) {
  std::vector<outbox_row_id> rows;
  for (std::size_t i = 0; i < batch.size(); ++i) rows.push_back(batch[i].row_id);
  call.token = batch.token();
  return session.Release(rows, call);
}

}  // namespace

StorageReader::StorageReader(std::shared_ptr<storage::Store> store, publisher::Publisher& publisher,
                             std::string relay_id, std::shared_ptr<PeerHealth> database,
                             std::shared_ptr<WatchdogHandle> handle, std::function<void(Reading)> arrived,
                             std::function<void(outbox_code)> failed)
    : handle_(std::move(handle)),
      connection_(std::move(store), std::move(database), handle_),
      publisher_(publisher),
      relay_id_(std::move(relay_id)),
      arrived_(std::move(arrived)),
      failed_(std::move(failed)),
      thread_([this] { Run(); }) {}

StorageReader::~StorageReader() {
  stop_ = true;
  mailbox_.Post([] {});
  thread_.join();
}

void StorageReader::Read(ReadRequest order) {
  mailbox_.Post([this, shared = std::make_shared<ReadRequest>(std::move(order))] { Execute(*shared); });
}

void StorageReader::Run() {
  std::vector<Mailbox::Task> tasks;
  while (!stop_) {
    mailbox_.Take(tasks, engine::kForever);
    for (const auto& task : tasks) task();
  }
}

void StorageReader::Execute(ReadRequest& order) {
  for (const storage::OwnedRowId& id : order.forgotten) outstanding_.Remove(id);
  order.reserve.relay_id = relay_id_;
  order.reserve.outstanding = &outstanding_;

  engine::Time asked = 0;
  auto batch = connection_.Use("reserve", order.call, [&, again = false](storage::Session& session) mutable {
    // A second attempt rewinds, because the first one may have moved the position past rows that have not arrived here.
    if (std::exchange(again, true)) order.reserve.mode = OUTBOX_REWIND;
    asked = Now();
    return Reserve(session, order, asked);
  });
  if (!batch.ok()) return failed_(batch.status().code());

  Reading reading;
  reading.reservation.arena_bytes = batch->arena_bytes();
  reading.reservation.more = batch->more();
  reading.reservation.rescan = batch->rescan();
  reading.reservation.token = batch->token();
  if (batch->lease_left().count() > 0) {
    // The engine subtracts a margin of a fifth of reserve_duration. If the store marks rows for a shorter time, a fifth
    // of that time is enough.
    const engine::Time left = Micros(batch->lease_left());
    reading.reservation.until =
        asked + std::max(left, SendableFor(batch->lease_left()) + Micros(order.reserve.reserve_duration) / 5);
  }
  reading.batch = std::make_unique<publisher::PreparedBatch>();
  reading.batch->batch = std::move(*batch);
  if (const Status prepared = Prepare(*reading.batch, order.call); !prepared.ok()) {
    Forget(reading.batch->batch);
    return failed_(prepared.code());
  }
  reading.reservation.drain_first = reading.batch->drain_first;
  // The records that were made from the rows are kept as long as the rows.
  reading.reservation.arena_bytes += reading.batch->shaped_bytes.capacity();
  const storage::Batch& rows = reading.batch->batch;
  reading.events.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) reading.events.push_back(Describe(rows[i], reading.batch->events[i]));
  arrived_(std::move(reading));
}

void StorageReader::Forget(const storage::Batch& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) outstanding_.Remove(ToRowId(batch[i].row_id));
}

Result<storage::Batch> StorageReader::Reserve(storage::Session& session, const ReadRequest& order, engine::Time asked) {
  auto read = session.ReserveNewEvents(order.reserve, order.call);
  // For a read, OUTBOX_BAD_DATA and OUTBOX_REFUSED mean that no row can be returned, not that one event is bad. They
  // are replaced by OUTBOX_INTERNAL, because Connection takes them for answers of a working database.
  if (const outbox_code code = read.status().code(); code == OUTBOX_BAD_DATA || code == OUTBOX_REFUSED)
    return Status(OUTBOX_INTERNAL, read.status().text());
  if (!read.ok() || read->lease_left().count() == 0) return read;
  const engine::Time took = Now() - asked;
  if (took < SendableFor(read->lease_left())) return read;
  (void)ReleaseRows(session, *read, order.call);
  Forget(*read);
  const auto ms = [](std::int64_t count) { return std::to_string(count) + " ms"; };
  return Status(OUTBOX_TIMEOUT,
                "reading " + std::to_string(read->size()) + " rows took " + ms(took / engine::kMillisecond) +
                    ", but the plugin reserved them for only " + ms(read->lease_left().count()) +
                    ", too short to send them; the rows were released; expected: reservations of reserve_duration (" +
                    ms(order.reserve.reserve_duration.count()) + "), and that value in lease_left_ms");
}

// Prepares the events of the batch for sending. If preparing them fails, marked rows are released at once: the rows do
// not stay outstanding, and no event is charged an attempt.
Status StorageReader::Prepare(publisher::PreparedBatch& batch, const Call& call) {
  if (batch.batch.empty()) return {};
  Status prepared = [&] {
    const Watched watch(*handle_, "topic lookup", call.timeout);
    return publisher_.Prepare(batch, call.timeout);
  }();
  if (prepared.ok() || batch.batch.lease_left().count() == 0) return prepared;
  // If the release fails, the reservation expires by itself.
  (void)connection_.Use("release", call,
                        [&](storage::Session& session) { return ReleaseRows(session, batch.batch, call); });
  return prepared;
}

engine::Incoming StorageReader::Describe(const outbox_event& event, const publisher::Prepared& prepared) {
  engine::Incoming in;
  in.has_key = event.aggregate_id.data != nullptr;
  if (in.has_key) in.key_hash = std::hash<std::string_view>{}(View(event.aggregate_id));
  in.attempts = event.attempts;
  in.lane = prepared.lane;
  in.refused = prepared.refusal >= 0;
  in.doubtful = prepared.doubtful;
  in.waits = prepared.waits;
  return in;
}

}  // namespace outbox::runtime
