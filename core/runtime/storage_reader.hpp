// The thread that reserves events and makes them ready for sending, on a session of its own.
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
  storage::ReserveRequest reserve;  // but for outstanding and relay_id
  Call call;
  std::vector<storage::OwnedRowId> forgotten;  // rows that the relay holds no longer
};

struct Reading {
  std::unique_ptr<publisher::PreparedBatch> batch;
  engine::Reservation reservation;
  std::vector<engine::Incoming> events;
};

class StorageReader {
 public:
  // The callbacks run on the reader's thread.
  StorageReader(std::shared_ptr<storage::Store> store, publisher::Publisher& publisher, std::string relay_id,
                std::shared_ptr<PeerHealth> database, std::shared_ptr<WatchdogHandle> handle,
                std::function<void(Reading)> arrived, std::function<void(outbox_code)> failed);
  ~StorageReader();

  void Read(ReadRequest order);  // one at a time
  void Cancel() { connection_.Cancel(); }
  void Rest() { connection_.Rest(); }  // while nothing is asked of it

 private:
  void Run();
  void Execute(ReadRequest& order);
  // `asked`: since when.
  [[nodiscard]] Result<storage::Batch> Reserve(storage::Session& session, const ReadRequest& order, engine::Time asked);
  // Rows of a batch that goes no further.
  void Forget(const storage::Batch& batch);
  [[nodiscard]] Status Prepare(publisher::PreparedBatch& batch, const Call& call);
  static engine::Incoming Describe(const outbox_event& event, const publisher::Prepared& prepared);

  const std::shared_ptr<WatchdogHandle> handle_;
  Connection connection_;
  publisher::Publisher& publisher_;
  const std::string relay_id_;
  const std::function<void(Reading)> arrived_;
  const std::function<void(outbox_code)> failed_;
  // Rows that the relay holds. INVARIANT: never too few. A row leaves only with the first request after the storage has
  // answered the call that ended it: a read that began before may still bring the row, from an older snapshot. Removing it
  // in the moment of that answer, beside a running read, would send it twice.
  storage::OutstandingRows outstanding_;
  Mailbox mailbox_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace outbox::runtime
