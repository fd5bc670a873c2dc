// Tools for the cases: an empty outbox, accessed through the plugin under test, and relays that the test impersonates.
#pragma once

#include <set>

#include "case.hpp"
#include "outbox/ext/testing.h"
#include "storage/owned_row_id.hpp"
#include "storage/store.hpp"

namespace outbox::contract {

using Text = std::optional<std::string>;

// An event to emit. Rig::Emit fills in the members that are not set.
struct Note {
  Text key = {};
  Text payload = "{}";
  Text headers = {};
  // "" = Rig::Emit uses the next id of EventId(1), EventId(2), ...
  std::string event_id = {};
  std::string event_type = "note.made";
  std::string topic = "notes";
};

// An event as the plugin returned it, copied out of its batch.
struct Row {
  storage::OwnedRowId row_id;
  std::string event_id;
  Text key;
  std::string event_type, topic;
  Text payload, headers;
  std::int64_t created_us = 0;
  std::uint32_t attempts = 0;
  std::uint64_t token = 0;  // The token of the batch that contained the row.
};

// An event as outbox.admin/1 lists it for an operator.
struct Seen : Row {
  std::int32_t state = OUTBOX_STATE_ABSENT;
  std::uint32_t shard = 0;
  std::int64_t payload_size = -1, now_us = 0, first_failed_us = 0, last_failed_us = 0, next_try_us = 0;
  Text reason, error;
};

[[nodiscard]] std::string EventId(std::size_t n);  // Returns a UUID that ends in n.
[[nodiscard]] std::vector<std::string> EventIds(const std::vector<Row>& rows);
// Returns the numbers from which EventId made the event ids of the rows, as in "1 2 3".
[[nodiscard]] std::string Numbers(const std::vector<Row>& rows);
[[nodiscard]] std::string Numbers(const std::vector<Seen>& seen);

[[nodiscard]] const outbox_plugin* LoadSubject(const Subject& subject);
[[nodiscard]] std::shared_ptr<storage::Store> OpenSubject(const Subject& subject);
[[nodiscard]] Call Within(Millis timeout, std::uint64_t token = 0);

class Rig {
 public:
  // Opens the plugin, creates its tables and empties them. Skips the case if the plugin cannot do that.
  explicit Rig(const Subject& subject);

  [[nodiscard]] storage::Store& store() { return *store_; }
  // Returns a session for calls that do not belong to a relay.
  [[nodiscard]] storage::Session& session() { return *session_; }
  [[nodiscard]] std::unique_ptr<storage::Session> Connect();

  // True if the store leases shards. False if the plugin has no leases, or if the store returns UNSUPPORTED because its
  // present options allow no leases.
  [[nodiscard]] bool LeasesShards() const { return leases_shards_; }

  // The functions Need... skip the case unless the plugin has the named capability or extension.
  void Need(std::uint64_t capability) const;
  void NeedLeases() const;
  void NeedMarks() const;    // Needs marks on rows, with which relays share the rows of one outbox.
  void NeedListing() const;  // Needs the extension outbox.admin/1.
  void NeedDead() const;     // Needs the extension outbox.admin/1, and dead letters.

  // Emits the events in one transaction.
  void Emit(const std::vector<Note>& notes);
  void Emit(std::size_t count, const Text& key) { Emit(std::vector<Note>(count, Note{.key = key})); }
  [[nodiscard]] Status Insert(storage::Session& session, const std::vector<Note>& notes);

  // True if the test can end leases and marks and make retries due, with the extension outbox.testing/1.
  [[nodiscard]] bool CanExpire() const { return testing_ != nullptr; }
  void ExpireLeases();
  void MakeRetriesDue();
  void ExpectState(const std::string& event_id, std::int32_t state, std::uint32_t attempts);

  // Returns one page of the list that outbox.admin/1 returns for the query.
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
  // Returns the functions of outbox.testing/1. Skips the case if the plugin does not have that extension.
  [[nodiscard]] const outbox_testing_v1& Testing() const;

  // Sends the heartbeat of a test relay to find out whether the store leases shards. Returns true if the store leases
  // shards.
  [[nodiscard]] bool AskForLeases();

  const outbox_testing_v1* testing_ = nullptr;
  bool leases_shards_ = false;
  std::size_t emitted_ = 0;
};

// A relay that the test impersonates: a session, a lease, and the set of outstanding rows.
class Relay {
 public:
  // Sends a heartbeat, and expects that the relay then owns the only shard.
  explicit Relay(Rig& rig, std::string id = "relay-a");
  struct Standby {};
  Relay(Rig& rig, std::string id, Standby);  // Sends no heartbeat.

  Lease Heartbeat(Millis lease = Millis(30'000));
  // Expects that the last heartbeat gave the relay the only shard. REQUIRES: the relay has sent a heartbeat.
  void ExpectToOwn();
  void Return(bool deregister);

  struct Ask {
    std::uint32_t max_events = 1000;
    std::uint64_t max_bytes = std::uint64_t{64} << 20;
    std::uint32_t mode = OUTBOX_READ_ON;
    bool skip_retries = false;
  };
  // Makes one reserve call. The returned rows are outstanding from then on.
  std::vector<Row> Reserve(Ask ask, bool* more = nullptr);
  [[nodiscard]] Result<storage::Batch> TryReserve(Ask ask, Millis reserve = Millis(30'000));
  std::vector<Row> Take(const storage::Batch& batch);
  // Reads until the plugin reports that there is nothing more to read, and returns the rows.
  std::vector<Row> ReadAll(bool rewind = false);
  // Makes one step of a rescan, sets `reached` to one of the values OUTBOX_RESCAN_..., and returns the rows.
  std::vector<Row> RescanStep(std::uint32_t& reached, std::uint32_t max_events = 1000);
  // Makes a complete rescan, expects that it ends, and returns the rows.
  std::vector<Row> Rescan(std::uint32_t max_events = 1000);
  // Polls until `count` rows were returned, or `patience` is over. Returns the rows.
  std::vector<Row> Await(std::size_t count, Millis patience = Millis(5'000));
  // Expects that no read returns anything, neither from the reading position nor after a rewind.
  void ExpectNothing(const char* why);

  // Returns the row ids and event ids of the rows. The result is valid as long as `rows` is.
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
