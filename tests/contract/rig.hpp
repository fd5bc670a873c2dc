// What the cases work with: an empty outbox behind the plugin under test, and relays that the test plays itself.
#pragma once

#include <set>

#include "case.hpp"
#include "outbox/ext/testing.h"
#include "storage/owned_row_id.hpp"
#include "storage/store.hpp"

namespace outbox::contract {

using Text = std::optional<std::string>;

// An event to emit; what it does not say is filled by Rig::Emit.
struct Note {
  Text key = {};
  Text payload = "{}";
  Text headers = {};
  std::string event_id = {};  // "" = the next of EventId(1), EventId(2), ...
  std::string event_type = "note.made";
  std::string topic = "notes";
};

// An event as it came back, copied out of its batch.
struct Row {
  storage::OwnedRowId row_id;
  std::string event_id;
  Text key;
  std::string event_type, topic;
  Text payload, headers;
  std::int64_t created_us = 0;
  std::uint32_t attempts = 0;
  std::uint64_t token = 0;  // of the batch
};

// What an operator is shown of one.
struct Seen : Row {
  std::int32_t state = OUTBOX_STATE_ABSENT;
  std::uint32_t shard = 0;
  std::int64_t payload_size = -1, now_us = 0, first_failed_us = 0, last_failed_us = 0, next_try_us = 0;
  Text reason, error;
};

[[nodiscard]] std::string EventId(std::size_t n);  // a UUID that ends in n
[[nodiscard]] std::vector<std::string> EventIds(const std::vector<Row>& rows);
// "1 2 3" of the events that EventId made.
[[nodiscard]] std::string Numbers(const std::vector<Row>& rows);
[[nodiscard]] std::string Numbers(const std::vector<Seen>& seen);

[[nodiscard]] const outbox_plugin* LoadSubject(const Subject& subject);
[[nodiscard]] std::shared_ptr<storage::Store> OpenSubject(const Subject& subject);
[[nodiscard]] Call Within(Millis timeout, std::uint64_t token = 0);

class Rig {
 public:
  // Opens the plugin, makes its tables, empties them. Skips the case where the plugin cannot do that.
  explicit Rig(const Subject& subject);

  [[nodiscard]] storage::Store& store() { return *store_; }
  [[nodiscard]] storage::Session& session() { return *session_; }  // for what is no relay's doing
  [[nodiscard]] std::unique_ptr<storage::Session> Connect();

  // False: the plugin has no leases, or the store as it is configured leases no shards and answers UNSUPPORTED.
  [[nodiscard]] bool LeasesShards() const { return leases_shards_; }

  // Skips the case unless the plugin promises that.
  void Need(std::uint64_t capability) const;
  void NeedLeases() const;
  void NeedMarks() const;    // of rows, by which several relays share them
  void NeedListing() const;  // outbox.admin/1
  void NeedDead() const;     // and dead letters

  // In one transaction of its own.
  void Emit(const std::vector<Note>& notes);
  void Emit(std::size_t count, const Text& key) { Emit(std::vector<Note>(count, Note{.key = key})); }
  [[nodiscard]] Status Insert(storage::Session& session, const std::vector<Note>& notes);

  [[nodiscard]] bool CanExpire() const { return testing_ != nullptr; }  // leases, marks and the waiting of retries
  void ExpireLeases();
  void MakeRetriesDue();
  void ExpectState(const std::string& event_id, std::int32_t state, std::uint32_t attempts);

  // One page of outbox.admin/1.
  [[nodiscard]] std::vector<Seen> List(const Query& query);
  [[nodiscard]] std::vector<Seen> ListDead() { return List({.from = OUTBOX_FROM_DEAD, .max = 1000, .contents = true}); }
  template <class Rows>
  std::uint64_t Apply(storage::Change change, const Rows& rows) {
    return Apply(session(), change, rows);
  }
  template <class Rows>
  static std::uint64_t Apply(storage::Session& session, storage::Change change, const Rows& rows) {
    std::vector<outbox_row_id> ids;
    for (const Row& row : rows) ids.push_back(Raw(row.row_id));
    return Ok(session.Apply(change, ids, Within(Millis(10'000))));
  }

 private:
  std::shared_ptr<storage::Store> store_;
  std::unique_ptr<storage::Session> session_;
  [[nodiscard]] const outbox_testing_v1& Testing() const;  // skips the case where the plugin has none

  [[nodiscard]] bool AskForLeases();

  const outbox_testing_v1* testing_ = nullptr;
  bool leases_shards_ = false;
  std::size_t emitted_ = 0;
};

// A relay as the test plays it: a session, a lease, and what it has in hand.
class Relay {
 public:
  // Joins, and expects to own the one shard.
  explicit Relay(Rig& rig, std::string id = "relay-a");
  struct Standby {};
  Relay(Rig& rig, std::string id, Standby);  // does not join

  Lease Heartbeat(Millis lease = Millis(30'000));
  void ExpectToOwn();  // after a heartbeat
  void Return(bool deregister);

  struct Ask {
    std::uint32_t max_events = 1000;
    std::uint64_t max_bytes = std::uint64_t{64} << 20;
    std::uint32_t mode = OUTBOX_READ_ON;
    bool skip_retries = false;
  };
  // One call; the rows are in hand from now on.
  std::vector<Row> Reserve(Ask ask, bool* more = nullptr);
  [[nodiscard]] Result<storage::Batch> TryReserve(Ask ask, Millis reserve = Millis(30'000));
  std::vector<Row> Take(const storage::Batch& batch);
  // As often as the plugin says that there is more.
  std::vector<Row> ReadAll(bool rewind = false);
  // One step. `reached`: an OUTBOX_RESCAN_... value.
  std::vector<Row> RescanStep(std::uint32_t& reached, std::uint32_t max_events = 1000);
  // A whole pass; expects that it ends.
  std::vector<Row> Rescan(std::uint32_t max_events = 1000);
  // Polls until there are so many, or `patience` is over.
  std::vector<Row> Await(std::size_t count, Millis patience = Millis(5'000));
  // Expects that no read brings anything, whatever the reading position.
  void ExpectNothing(const char* why);

  // As long as the rows are.
  [[nodiscard]] static std::vector<outbox_row> Named(const std::vector<Row>& rows);
  [[nodiscard]] Status TryConfirm(const std::vector<Row>& rows);
  void Confirm(const std::vector<Row>& rows);
  [[nodiscard]] Status TryFail(const std::vector<Row>& rows, std::int32_t disposition, Millis retry_after);
  void Fail(const std::vector<Row>& rows, std::int32_t disposition = OUTBOX_RETRY,
            Millis retry_after = std::chrono::hours(1));
  [[nodiscard]] Status TryRelease(const std::vector<Row>& rows);
  void Forget() { outstanding_ = {}; }
  void Forget(const Row& row) { outstanding_.Remove(row.row_id); }
  void Reconnect();

  [[nodiscard]] storage::Session& session() { return *session_; }
  [[nodiscard]] std::uint64_t token() const { return token_; }
  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }

 private:
  [[nodiscard]] std::vector<std::vector<Row>> ByToken(const std::vector<Row>& rows) const;
  [[nodiscard]] Call FencedCall(const std::vector<Row>& rows) const;

  Rig& rig_;
  std::string id_;
  std::unique_ptr<storage::Session> session_;
  Lease lease_;
  std::uint64_t token_ = 0;
  storage::OutstandingRows outstanding_;
};

}  // namespace outbox::contract
