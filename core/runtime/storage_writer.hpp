// The thread that writes to the storage: it confirms events, records failures, releases reservations, writes poison
// marks and removes delivered rows. The thread has a session of its own, so reading never waits for writes. Owned by
// ShardRunner.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.hpp"
#include "runtime/connection.hpp"
#include "runtime/mailbox.hpp"
#include "storage/owned_row_id.hpp"

namespace outbox::runtime {

// A write to carry out. The row ids, except `marked`, are views of batches or of FailedRows, which are kept until the
// write is answered.
struct WriteRequest {
  engine::Write what = engine::Write::kConfirm;
  Call call;
  std::vector<outbox_row> confirmed;          // kConfirm: the rows to confirm
  std::vector<outbox_row_id> rows;            // kRelease: the rows to release
  std::vector<outbox_failure> failures;       // kFail: the failures to record
  std::deque<std::string> texts;              // kFail: the texts to which `failures` points
  std::optional<storage::OwnedRowId> marked;  // kMark: the row to mark; absent = remove the mark
  Millis again{0};                            // kRemove: the pause before the removal of rows that stay is retried
};

// The result of a write.
struct Written {
  engine::Write what = engine::Write::kConfirm;
  outbox_code code = OUTBOX_OK;
  std::uint32_t owners = 0;        // kMark: number of consecutive owners that have marked the row
  std::vector<std::uint8_t> kept;  // kConfirm: 1 = the row is still in the outbox
  std::uint64_t removed = 0;       // kRemove: number of rows that were removed
  std::string text;                // text of the error, if the write failed
};

class StorageWriter {
 public:
  // Starts the thread. `answered` is called on the writer's thread.
  StorageWriter(std::shared_ptr<storage::Store> store, std::shared_ptr<PeerHealth> database,
                std::shared_ptr<WatchdogHandle> handle, std::shared_ptr<spdlog::logger> logger,
                std::function<void(const Written&)> answered);
  ~StorageWriter();

  void Do(WriteRequest order);
  void Cancel() { connection_.Cancel(); }
  void Rest() { connection_.Rest(); }  // see Connection::Rest
  // Gives up a kind of write; see Connection::GiveUp.
  void GiveUp(engine::Write what) { connection_.GiveUp(static_cast<int>(what)); }

 private:
  void Run();
  [[nodiscard]] Status Execute(const WriteRequest& order, Written& written);

  Connection connection_;
  // The health to which removals report: a failed removal is retried after some time and delays no event.
  const std::shared_ptr<PeerHealth> nobodys_ = PeerHealth::Nobodys();
  const std::shared_ptr<spdlog::logger> logger_;
  const std::function<void(const Written&)> answered_;
  Mailbox mailbox_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace outbox::runtime
