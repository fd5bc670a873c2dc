// The thread that confirms, fails, releases and marks events, on a session of its own: reading never waits for it.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/connection.hpp"
#include "engine/engine.hpp"
#include "engine/mailbox.hpp"

namespace outbox::engine {

// Row ids point into batches, which stay until the write is answered.
struct WriteOrder {
  Write what = Write::kConfirm;
  Call call;
  std::vector<outbox_bytes> rows;        // kConfirm, kRelease; kMark: at most one
  std::vector<outbox_failure> failures;  // kFail
  std::deque<std::string> texts;         // what failures and a marked row point to
};

struct Written {
  Write what;
  outbox_code code;
  std::uint32_t owners = 0;  // kMark: who have marked the row
};

class Writer {
 public:
  // `answered` runs on the writer's thread.
  Writer(std::shared_ptr<plugins::Store> store, std::shared_ptr<Condition> database, std::shared_ptr<Post> post,
         std::shared_ptr<spdlog::logger> logger, std::function<void(const Written&)> answered);
  ~Writer();

  void Do(WriteOrder order);
  void Cancel() { connection_.Cancel(); }
  void Rest() { connection_.Rest(); }  // while nothing is asked of it

 private:
  void Run();
  [[nodiscard]] Status Execute(const WriteOrder& order, Written& written);

  Connection connection_;
  const std::shared_ptr<spdlog::logger> logger_;
  const std::function<void(const Written&)> answered_;
  Mailbox mailbox_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace outbox::engine
