// The thread that reserves events and makes them ready for sending, on a session of its own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/connection.hpp"
#include "engine/engine.hpp"
#include "runtime/outstanding_rows.hpp"
#include "runtime/mailbox.hpp"
#include "publisher/publisher.hpp"

namespace outbox::runtime {

struct ReadOrder {
  storage::ReserveOrder reserve;  // but for in_hand and relay_id
  Call call;
  std::vector<std::string> forgotten;  // rows that the relay holds no longer
};

struct Reading {
  std::unique_ptr<publisher::PreparedBatch> batch;
  engine::Reservation reservation;
  std::vector<engine::Incoming> events;
};

class Reader {
 public:
  // The callbacks run on the reader's thread.
  Reader(std::shared_ptr<storage::Store> store, publisher::Publisher& publisher, std::string relay_id,
         std::shared_ptr<Condition> database, std::shared_ptr<Post> post, std::function<void(Reading)> arrived,
         std::function<void(outbox_code)> failed);
  ~Reader();

  void Read(ReadOrder order);  // one at a time
  void Cancel() { connection_.Cancel(); }
  void Rest() { connection_.Rest(); }  // while nothing is asked of it

 private:
  void Run();
  void Execute(ReadOrder& order);
  [[nodiscard]] Status Prepare(publisher::PreparedBatch& batch, const Call& call);
  static engine::Incoming Describe(const outbox_event& event, const publisher::Prepared& prepared);

  const bool marks_rows_;
  const std::shared_ptr<Post> post_;
  Connection connection_;
  publisher::Publisher& publisher_;
  const std::string relay_id_;
  const std::function<void(Reading)> arrived_;
  const std::function<void(outbox_code)> failed_;
  // Rows that the relay holds. Too large for a moment, never too small: a row leaves it only with the order after
  // the storage has answered the call that ended it, and reads follow each other.
  InHand in_hand_;
  Mailbox mailbox_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace outbox::runtime
