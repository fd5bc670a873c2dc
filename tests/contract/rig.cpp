#include "rig.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <map>
#include <thread>

#include "storage/loader.hpp"
#include "storage/raw_call.hpp"
#include "storage/table.hpp"

namespace outbox::contract {
namespace {

constexpr Millis kTimeout{10'000};

std::vector<outbox_row_id> Ids(const std::vector<Row>& rows) {
  std::vector<outbox_row_id> ids;
  for (const Row& row : rows) ids.push_back(outbox::Raw(row.row_id));
  return ids;
}

Text Own(outbox_bytes bytes) {
  const Bytes view = Maybe(bytes);
  return view ? Text(*view) : std::nullopt;
}

outbox_bytes Raw(const Text& text) { return text ? outbox::Raw(*text) : outbox_bytes{nullptr, 0}; }

Row Copy(const outbox_event& e, std::uint64_t token) {
  return {ToRowId(e.row_id),
          std::string(View(e.event_id)),
          Own(e.aggregate_id),
          std::string(View(e.event_type)),
          std::string(View(e.topic)),
          Own(e.payload),
          Own(e.headers),
          e.created_us,
          e.attempts,
          token};
}

template <class T>
const T* Extension(const storage::Store& store, const char* id) {
  return static_cast<const T*>(Ok(storage::FindExtension(store.table(), id, sizeof(T))));
}

// Calls a function that storage::Session does not wrap.
template <class F, class... Args>
void CallRaw(const char* name, F function, storage::Session& session, const Args&... args) {
  storage::RawCall call(Within(kTimeout));
  const outbox_code code = function(session.raw(), args..., &call);
  Expect(code == OUTBOX_OK, "{} returned code {}: {}", name, code, call.error.message);
}

}  // namespace

std::string EventId(std::size_t n) { return fmt::format("00000000-0000-4000-8000-{:012d}", n); }

std::vector<std::string> EventIds(const std::vector<Row>& rows) {
  std::vector<std::string> ids;
  for (const Row& row : rows) ids.push_back(row.event_id);
  return ids;
}

std::string Numbers(const std::vector<Seen>& seen) { return Numbers(std::vector<Row>(seen.begin(), seen.end())); }

std::string Numbers(const std::vector<Row>& rows) {
  std::string numbers;
  for (const Row& row : rows) {
    const auto digits = row.event_id.find_last_of('-') + 1;
    const auto first = row.event_id.find_first_not_of('0', digits);
    numbers += (numbers.empty() ? "" : " ") + (first == std::string::npos ? "0" : row.event_id.substr(first));
  }
  return numbers;
}

const outbox_plugin* LoadSubject(const Subject& subject) {
  return Ok(storage::Load(subject.name, storage::DefaultSearchPath(subject.file.string())));
}

std::shared_ptr<storage::Store> OpenSubject(const Subject& subject) {
  const auto logger = std::make_shared<spdlog::logger>("plugin", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::err);
  return Ok(storage::Store::Open(LoadSubject(subject), subject.options, logger));
}

Call Within(Millis timeout, std::uint64_t token) { return {0, token, timeout}; }

Rig::Rig(const Subject& subject) : store_(OpenSubject(subject)), session_(Connect()) {
  testing_ = Extension<outbox_testing_v1>(*store_, OUTBOX_TESTING_V1);
  if (store_->table().get_extension(OUTBOX_EMIT_V1) == nullptr)
    throw Skipped("the plugin does not have " OUTBOX_EMIT_V1);

  const Status made = session_->ApplySchema({1, subject.payload, /*wake_up=*/true}, Within(kTimeout));
  if (made.code() != OUTBOX_UNSUPPORTED) Ok(made);
  leases_shards_ = AskForLeases();
  if (subject.before.empty())
    CallRaw(
        "testing.reset", [this](auto* s, auto* c) { return Testing().reset(s, &c->call, &c->error); }, *session_);
}

// Returns true if the store leases shards. To find out, sends the heartbeat of a test relay, releases its shards and
// deregisters it.
bool Rig::AskForLeases() {
  if (!store_->HasLeases()) return false;
  const std::string id = "asks#0";
  const auto lease = session_->Heartbeat(id, Millis(1'000), Within(kTimeout));
  if (lease.status().code() == OUTBOX_UNSUPPORTED) return false;
  Ok(lease.status());
  Ok(session_->ReleaseShards(id, lease->owned, /*deregister=*/true, Within(kTimeout)));
  return true;
}

const outbox_testing_v1& Rig::Testing() const {
  if (testing_ == nullptr) throw Skipped("the plugin does not have " OUTBOX_TESTING_V1);
  return *testing_;
}

std::unique_ptr<storage::Session> Rig::Connect() { return Ok(store_->Connect(Within(kTimeout))); }

void Rig::Need(std::uint64_t capability) const {
  if (store_->Can(capability)) return;
  const char* const name = capability == OUTBOX_CAN_SHARE        ? "OUTBOX_CAN_SHARE"
                           : capability == OUTBOX_CAN_ORDER_KEYS ? "OUTBOX_CAN_ORDER_KEYS"
                           : capability == OUTBOX_CAN_FENCE      ? "OUTBOX_CAN_FENCE"
                                                                 : "OUTBOX_CAN_DEAD_LETTER";
  throw Skipped(fmt::format("the plugin does not promise {}", name));
}

void Rig::NeedLeases() const {
  if (!leases_shards_) throw Skipped("the store does not have " OUTBOX_LEASES_V1);
}

void Rig::NeedMarks() const {
  Need(OUTBOX_CAN_SHARE);
  if (!store_->MarksRows()) throw Skipped("release_events is NULL: reserving leaves no mark on rows");
  if (leases_shards_) throw Skipped("relays share shards here, not rows");
}

void Rig::NeedDead() const {
  Need(OUTBOX_CAN_DEAD_LETTER);
  NeedListing();
}

void Rig::NeedListing() const {
  if (store_->table().get_extension(OUTBOX_ADMIN_V1) == nullptr)
    throw Skipped("the plugin does not have " OUTBOX_ADMIN_V1);
}

void Rig::Emit(const std::vector<Note>& notes) {
  Ok(session_->BeginEmit(Within(kTimeout)));
  Ok(Insert(*session_, notes));
  Ok(session_->EndEmit(true, Within(kTimeout)));
}

Status Rig::Insert(storage::Session& session, const std::vector<Note>& notes) {
  std::vector<std::string> ids;
  ids.reserve(notes.size());
  std::vector<outbox_event> events;
  for (const Note& note : notes) {
    ids.push_back(note.event_id.empty() ? EventId(++emitted_) : note.event_id);
    outbox_event& event = events.emplace_back();
    event.event_id = outbox::Raw(ids.back());
    event.aggregate_id = Raw(note.key);
    event.event_type = outbox::Raw(note.event_type);
    event.topic = outbox::Raw(note.topic);
    event.payload = Raw(note.payload);
    event.headers = Raw(note.headers);
  }
  return session.Insert(events, Within(kTimeout));
}

void Rig::ExpireLeases() {
  CallRaw(
      "testing.expire_leases", [this](auto* s, auto* c) { return Testing().expire_leases(s, &c->call, &c->error); },
      *session_);
}

void Rig::MakeRetriesDue() {
  CallRaw(
      "testing.make_retries_due",
      [this](auto* s, auto* c) { return Testing().make_retries_due(s, &c->call, &c->error); }, *session_);
}

void Rig::ExpectState(const std::string& event_id, std::int32_t state, std::uint32_t attempts) {
  std::int32_t its_state = -1;
  std::uint32_t its_attempts = 0;
  CallRaw(
      "testing.state_of",
      [&](auto* s, auto* c) {
        return Testing().state_of(s, outbox::Raw(event_id), &c->call, &its_state, &its_attempts, &c->error);
      },
      *session_);
  constexpr const char* names[] = {"absent", "waiting", "retrying", "blocked", "dead", "delivered"};
  Expect(its_state >= OUTBOX_STATE_ABSENT && its_state <= OUTBOX_STATE_DELIVERED, "state_of returned state {}",
         its_state);
  Expect(its_state == state && its_attempts == attempts, "event {} is {} with {} attempts, expected: {} with {}",
         event_id, names[its_state], its_attempts, names[state], attempts);
}

std::vector<Seen> Rig::List(const Query& query) {
  std::vector<Seen> all;
  const auto add = [&all](const Record& r) {
    const auto own = [](const Bytes& bytes) { return bytes ? Text(*bytes) : std::nullopt; };
    Seen& seen = all.emplace_back();
    static_cast<Row&>(seen) = {r.event.row_id,
                               std::string(r.event.event_id),
                               own(r.event.aggregate_id),
                               std::string(r.event.event_type),
                               std::string(r.event.topic),
                               own(r.event.payload),
                               own(r.event.headers),
                               r.event.created_us,
                               r.event.attempts,
                               0};
    seen.state = r.state;
    seen.shard = r.shard;
    seen.payload_size = r.payload_size;
    seen.now_us = r.now_us;
    seen.first_failed_us = r.first_failed_us;
    seen.last_failed_us = r.last_failed_us;
    seen.next_try_us = r.next_try_us;
    seen.reason = own(r.reason);
    seen.error = own(r.error);
    return true;
  };
  Ok(session_->List(query, add, Within(kTimeout)));
  return all;
}

Relay::Relay(Rig& rig, std::string id, Standby) : rig_(rig), id_(std::move(id)), session_(rig.Connect()) {}

Relay::Relay(Rig& rig, std::string id) : Relay(rig, std::move(id), Standby{}) {
  if (!rig_.LeasesShards()) return;
  Heartbeat();
  ExpectToOwn();
}

Lease Relay::Heartbeat(Millis lease) {
  lease_ = Ok(session_->Heartbeat(id_, lease, Within(kTimeout)));
  if (!lease_.owned.empty()) token_ = lease_.owned[0].token;
  return lease_;
}

void Relay::ExpectToOwn() {
  Expect(lease_.owned.size() == 1 && lease_.owned[0].state == OUTBOX_SHARD_OWNED,
         "{} owns {} shards after its heartbeat, expected: 1", id_, lease_.owned.size());
}

void Relay::Return(bool deregister) { Ok(session_->ReleaseShards(id_, lease_.owned, deregister, Within(kTimeout))); }

Result<storage::Batch> Relay::TryReserve(Ask ask, Millis reserve) {
  storage::ReserveRequest order;
  order.max_events = ask.max_events;
  order.max_bytes = ask.max_bytes;
  order.reserve_duration = reserve;
  order.relay_id = id_;
  order.mode = ask.mode;
  order.skip_retries = ask.skip_retries;
  // Passes a copy, because the session adds the returned rows to the set, and the rows must not be outstanding before
  // Take().
  storage::OutstandingRows outstanding = outstanding_;
  order.outstanding = &outstanding;
  return session_->ReserveNewEvents(order, Within(kTimeout, token_));
}

std::vector<Row> Relay::Take(const storage::Batch& batch) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    rows.push_back(Copy(batch[i], batch.token()));
    (void)outstanding_.Add(rows.back().row_id);
  }
  return rows;
}

std::vector<Row> Relay::Reserve(Ask ask, bool* more) {
  const storage::Batch batch = Ok(TryReserve(ask));
  if (more != nullptr) *more = batch.more();
  return Take(batch);
}

std::vector<Row> Relay::ReadAll(bool rewind) {
  std::vector<Row> rows;
  bool more = true;
  for (int calls = 0; more; ++calls) {
    Expect(calls < 1000, "after {} reservations the plugin still reports that there is more", calls);
    Ask ask;
    if (rewind && calls == 0) ask.mode = OUTBOX_REWIND;
    for (Row& row : Reserve(ask, &more)) rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Row> Relay::RescanStep(std::uint32_t& reached, std::uint32_t max_events) {
  const storage::Batch batch = Ok(TryReserve({.max_events = max_events, .mode = OUTBOX_RESCAN}));
  reached = batch.rescan();
  return Take(batch);
}

std::vector<Row> Relay::Rescan(std::uint32_t max_events) {
  std::vector<Row> rows;
  std::uint32_t reached = OUTBOX_RESCAN_GOES_ON;
  for (int steps = 0; reached == OUTBOX_RESCAN_GOES_ON; ++steps) {
    Expect(steps < 1000, "after {} steps the rescan has not ended", steps);
    for (Row& row : RescanStep(reached, max_events)) rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Row> Relay::Await(std::size_t count, Millis patience) {
  const auto start = std::chrono::steady_clock::now(), give_up = start + patience;
  std::vector<Row> rows = ReadAll();
  while (rows.size() < count && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(Millis(5));
    for (Row& row : ReadAll()) rows.push_back(std::move(row));
  }
  Expect(rows.size() == count, "{} events were returned ({}) within {} ms, expected: {}", rows.size(), Numbers(rows),
         std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start).count(), count);
  return rows;
}

void Relay::ExpectNothing(const char* why) {
  for (const bool rewind : {false, false, true, false}) {
    const auto rows = ReadAll(rewind);
    Expect(rows.empty(), "{}, but {} was returned{}", why, Numbers(rows), rewind ? " by a rewind" : "");
  }
}

std::vector<outbox_row> Relay::Named(const std::vector<Row>& rows) {
  std::vector<outbox_row> named;
  for (const Row& row : rows) named.push_back({outbox::Raw(row.row_id), outbox::Raw(row.event_id)});
  return named;
}

Status Relay::TryConfirm(const std::vector<Row>& rows) {
  std::vector<std::uint8_t> kept;
  const Status status = session_->ConfirmEvent(Named(rows), kept, Within(kTimeout));
  Expect(!status.ok() || std::count(kept.begin(), kept.end(), 0) == static_cast<std::ptrdiff_t>(rows.size()),
         "confirm reports a row as kept although nothing prevents its removal");
  if (status.ok())
    for (const Row& row : rows) outstanding_.Remove(row.row_id);
  return status;
}
void Relay::Confirm(const std::vector<Row>& rows) { Ok(TryConfirm(rows)); }

Call Relay::FencedCall(const std::vector<Row>& rows) const {
  return Within(kTimeout, rig_.LeasesShards() || rows.empty() ? token_ : rows[0].token);
}

Status Relay::TryFail(const std::vector<Row>& rows, std::int32_t disposition, Millis retry_after) {
  std::vector<outbox_failure> failures;
  for (const Row& row : rows)
    failures.push_back({outbox::Raw(row.row_id), outbox::Raw(row.event_id), outbox::Raw("too_large"),
                        outbox::Raw("the record is too large"), retry_after.count(), disposition, 0});
  const Status status = session_->ConfirmFailed(failures, FencedCall(rows));
  if (status.ok())
    for (const Row& row : rows) outstanding_.Remove(row.row_id);
  return status;
}
// Groups rows by the token under which they were returned, because a write to marked rows carries exactly one token.
std::vector<std::vector<Row>> Relay::ByToken(const std::vector<Row>& rows) const {
  if (rig_.LeasesShards()) return {rows};
  std::map<std::uint64_t, std::vector<Row>> by_token;
  for (const Row& row : rows) by_token[row.token].push_back(row);
  std::vector<std::vector<Row>> groups;
  for (auto& [token, group] : by_token) groups.push_back(std::move(group));
  return groups;
}

void Relay::Fail(const std::vector<Row>& rows, std::int32_t disposition, Millis retry_after) {
  for (const auto& group : ByToken(rows)) Ok(TryFail(group, disposition, retry_after));
}

Status Relay::TryRelease(const std::vector<Row>& rows) {
  const Status status = session_->Release(Ids(rows), FencedCall(rows));
  if (status.ok())
    for (const Row& row : rows) outstanding_.Remove(row.row_id);
  return status;
}

void Relay::Reconnect() {
  session_.reset();
  session_ = rig_.Connect();
}

}  // namespace outbox::contract
