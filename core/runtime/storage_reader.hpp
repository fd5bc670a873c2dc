// The thread that reserves events and prepares them for sending, on a session of its own. Owned by ShardRunner.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.hpp"
#include "publisher/publisher.hpp"
#include "runtime/connection.hpp"
#include "runtime/mailbox.hpp"
#include "storage/outstanding_rows.hpp"
#include "storage/owned_row_id.hpp"

namespace outbox::runtime {

struct ReadRequest {
  storage::ReserveRequest reserve;  // the reader sets `outstanding` and `relay_id`
  Call call;
  std::vector<storage::OwnedRowId> forgotten;  // rows that are no longer outstanding
};

// The result of a read.
struct Reading {
  std::unique_ptr<publisher::PreparedBatch> batch;
  engine::Reservation reservation;
  std::vector<engine::Incoming> events;
};

class StorageReader {
 public:
  // Starts the thread. `arrived` and `failed` are called on the reader's thread.
  StorageReader(std::shared_ptr<storage::Store> store, publisher::Publisher& publisher, std::string relay_id,
                std::shared_ptr<PeerHealth> database, std::shared_ptr<WatchdogHandle> handle,
                std::function<void(Reading)> arrived, std::function<void(outbox_code)> failed);
  ~StorageReader();

  // Begins a read; `arrived` or `failed` is called with its result. REQUIRES: no other read is under way.
  void Read(ReadRequest order);
  void Cancel() { connection_.Cancel(); }
  void Rest() { connection_.Rest(); }  // see Connection::Rest

 private:
  void Run();
  void Execute(ReadRequest& order);
  // Reserves events. `asked` is the time at which the call began.
  [[nodiscard]] Result<storage::Batch> Reserve(storage::Session& session, const ReadRequest& order, engine::Time asked);
  // Removes the rows of the batch from outstanding_, because the batch is given up.
  void Forget(const storage::Batch& batch);
  [[nodiscard]] Status Prepare(publisher::PreparedBatch& batch, const Call& call);
  static engine::Incoming Describe(const outbox_event& event, const publisher::Prepared& prepared);

  const std::shared_ptr<WatchdogHandle> handle_;
  Connection connection_;
  publisher::Publisher& publisher_;
  const std::string relay_id_;
  const std::function<void(Reading)> arrived_;
  const std::function<void(outbox_code)> failed_;
  // INVARIANT: the set contains every outstanding row, and perhaps others. The row of a settled event stays in the set
  // until the next read request names the row in `forgotten`. A read that is running when the event is settled may
  // still return the row, from an older snapshot. If the row had already left the set, its event would be sent twice.
  storage::OutstandingRows outstanding_;
  Mailbox mailbox_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace outbox::runtime
