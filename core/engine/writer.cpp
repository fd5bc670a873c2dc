#include "engine/writer.hpp"

#include <spdlog/logger.h>

namespace outbox::engine {

Writer::Writer(std::shared_ptr<plugins::Store> store, std::shared_ptr<Condition> database,
               std::shared_ptr<spdlog::logger> logger, std::function<void(Write, outbox_code)> answered)
    : connection_(std::move(store), std::move(database)),
      logger_(std::move(logger)),
      answered_(std::move(answered)),
      thread_([this] { Run(); }) {}

Writer::~Writer() {
  stop_ = true;
  mailbox_.Post([] {});
  thread_.join();
}

void Writer::Do(WriteOrder order) {
  mailbox_.Post([this, shared = std::make_shared<WriteOrder>(std::move(order))] {
    const Status status = Execute(*shared);
    // The database is fine and will not have this: repeating does not mend it, so somebody must see it.
    if (status.code() == OUTBOX_BAD_DATA)
      logger_->error("the storage refuses what the relay writes: {}", status.text());
    answered_(shared->what, status.code());
  });
}

void Writer::Run() {
  std::vector<Mailbox::Task> tasks;
  while (!stop_) {
    mailbox_.Take(tasks, kForever);
    for (const auto& task : tasks) task();
  }
}

Status Writer::Execute(const WriteOrder& order) {
  const auto write = [&](plugins::Session& session) {
    switch (order.what) {
      case Write::kConfirm:
        return session.ConfirmEvent(order.rows, order.call);
      case Write::kFail:
        return session.ConfirmFailed(order.failures, order.call);
      case Write::kRelease:
        return session.Release(order.rows, order.call);
    }
    return Status();
  };
  return connection_.Use(order.call, write, static_cast<int>(order.what));
}

}  // namespace outbox::engine
