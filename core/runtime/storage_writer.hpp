// The thread that confirms, fails, releases, marks and removes events, on a session of its own: reading never waits for it.
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

// Row ids point into batches, which stay until the write is answered.
struct WriteRequest {
  engine::Write what = engine::Write::kConfirm;
  Call call;
  std::vector<outbox_row> confirmed;          // kConfirm
  std::vector<outbox_row_id> rows;            // kRelease
  std::vector<outbox_failure> failures;       // kFail
  std::deque<std::string> texts;              // what failures point to
  std::optional<storage::OwnedRowId> marked;  // kMark: absent = forget the mark
  Millis again{0};                            // kRemove: what stays is tried again after so long
};

struct Written {
  engine::Write what = engine::Write::kConfirm;
  outbox_code code = OUTBOX_OK;
  std::uint32_t owners = 0;        // kMark: who have marked the row
  std::vector<std::uint8_t> kept;  // kConfirm: 1 = the row is still there
  std::uint64_t removed = 0;       // kRemove
  std::string text;                // what was wrong
};

class StorageWriter {
 public:
  // `answered` runs on the writer's thread.
  StorageWriter(std::shared_ptr<storage::Store> store, std::shared_ptr<PeerHealth> database,
                std::shared_ptr<WatchdogHandle> handle, std::shared_ptr<spdlog::logger> logger,
                std::function<void(const Written&)> answered);
  ~StorageWriter();

  void Do(WriteRequest order);
  void Cancel() { connection_.Cancel(); }
  void Rest() { connection_.Rest(); }                                              // while nothing is asked of it
  void GiveUp(engine::Write what) { connection_.GiveUp(static_cast<int>(what)); }  // it failed, and is not repeated

 private:
  void Run();
  [[nodiscard]] Status Execute(const WriteRequest& order, Written& written);

  Connection connection_;
  // Of removals, which are tried again after minutes and hold up no event.
  const std::shared_ptr<PeerHealth> nobodys_ = PeerHealth::Nobodys();
  const std::shared_ptr<spdlog::logger> logger_;
  const std::function<void(const Written&)> answered_;
  Mailbox mailbox_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace outbox::runtime
