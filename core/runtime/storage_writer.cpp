#include "runtime/storage_writer.hpp"

#include "util/log.hpp"

namespace outbox::runtime {
namespace {

const char* NameOf(engine::Write what) {
  switch (what) {
    case engine::Write::kConfirm:
      return "confirm";
    case engine::Write::kFail:
      return "confirm_failed";
    case engine::Write::kRelease:
      return "release";
    case engine::Write::kMark:
      return "mark";
    case engine::Write::kRemove:
      return "remove_delivered";
  }
  return "";
}

}  // namespace

StorageWriter::StorageWriter(std::shared_ptr<storage::Store> store, std::shared_ptr<PeerHealth> database,
                             std::shared_ptr<WatchdogHandle> handle, std::shared_ptr<spdlog::logger> logger,
                             std::function<void(const Written&)> answered)
    : connection_(std::move(store), std::move(database), std::move(handle)),
      logger_(std::move(logger)),
      answered_(std::move(answered)),
      thread_([this] { Run(); }) {}

StorageWriter::~StorageWriter() {
  stop_ = true;
  mailbox_.Post([] {});
  thread_.join();
}

void StorageWriter::Do(WriteRequest order) {
  mailbox_.Post([this, shared = std::make_shared<WriteRequest>(std::move(order))] {
    Written written;
    written.what = shared->what;
    const Status status = Execute(*shared, written);
    // The database works, but refuses this write. Repeating the write does not help, so the refusal is logged for an
    // operator.
    const bool refused = status.code() == OUTBOX_REFUSED && shared->what != engine::Write::kConfirm;
    if (status.code() == OUTBOX_BAD_DATA || refused)
      util::LogError(*logger_, "the storage refused a write: {}; retrying does not help until the cause is fixed",
                     status.text());
    written.code = status.code();
    written.text = status.text();
    answered_(written);
  });
}

void StorageWriter::Run() {
  std::vector<Mailbox::Task> tasks;
  while (!stop_) {
    mailbox_.Take(tasks, engine::kForever);
    for (const auto& task : tasks) task();
  }
}

Status StorageWriter::Execute(const WriteRequest& order, Written& written) {
  const auto write = [&](storage::Session& session) -> Status {
    switch (order.what) {
      case engine::Write::kConfirm:
        return session.ConfirmEvent(order.confirmed, written.kept, order.call);
      case engine::Write::kFail:
        return session.ConfirmFailed(order.failures, order.call);
      case engine::Write::kRelease:
        return session.Release(order.rows, order.call);
      case engine::Write::kMark: {
        const auto owners = session.Mark(order.marked ? std::optional(order.marked->View()) : std::nullopt, order.call);
        if (owners.ok()) written.owners = *owners;
        return owners.ok() ? Status() : owners.status();
      }
      case engine::Write::kRemove: {
        const auto removed = session.RemoveDelivered({}, order.again, order.call);
        if (removed.ok()) written.removed = *removed;
        return removed.ok() ? Status() : removed.status();
      }
    }
    return Status();
  };
  PeerHealth* const health = order.what == engine::Write::kRemove ? nobodys_.get() : nullptr;
  return connection_.Use(NameOf(order.what), order.call, write, static_cast<int>(order.what), health);
}

}  // namespace outbox::runtime
