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
#include "runtime/outstanding_rows.hpp"

namespace outbox::runtime {

struct ReadRequest {
  storage::ReserveRequest reserve;  // but for is_outstanding and relay_id
  Call call;
  std::vector<std::string> forgotten;  // rows that the relay holds no longer
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
  [[nodiscard]] static Result<storage::Batch> Reserve(storage::Session& session, const ReadRequest& order,
                                                      engine::Time asked);
  [[nodiscard]] Status Prepare(publisher::PreparedBatch& batch, const Call& call);
  static engine::Incoming Describe(const outbox_event& event, const publisher::Prepared& prepared);

  const std::shared_ptr<WatchdogHandle> handle_;
  Connection connection_;
  publisher::Publisher& publisher_;
  const std::string relay_id_;
  const std::function<void(Reading)> arrived_;
  const std::function<void(outbox_code)> failed_;
  // Rows that the relay holds. Too large for a moment, never too small: a row leaves it only with the order after
  // the storage has answered the call that ended it, and reads follow each other.
  OutstandingRows outstanding_;
  Mailbox mailbox_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace outbox::runtime
