// Runs two relays in one process. Each has its own outbox, which is a list in memory, and its own publisher, which
// prints events.
#include <atomic>
#include <deque>
#include <iostream>
#include <mutex>
#include <outbox/relay.hpp>
#include <thread>

namespace {

using namespace outbox;

// An outbox in the form of a list, which all sessions of one storage share. Thread: any.
class List {
 public:
  void Add(std::string key, std::string payload) {
    const std::scoped_lock lock(mutex_);
    rows_.push_back({std::to_string(++last_), std::move(key), std::move(payload)});
  }
  void ForEach(const std::function<bool(const Event&)>& take) {
    const std::scoped_lock lock(mutex_);
    for (const Row& row : rows_) {
      Event event{};
      event.row_id = row.id;
      event.event_id = row.id;
      event.aggregate_id = row.key;
      event.event_type = "Noted";
      event.topic = "notes";
      event.payload = row.payload;
      if (!take(event)) return;
    }
  }
  void Remove(std::string_view id) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(rows_, [&](const Row& row) { return row.id == id; });
  }
  [[nodiscard]] bool empty() const {
    const std::scoped_lock lock(mutex_);
    return rows_.empty();
  }

 private:
  struct Row {
    std::string id, key, payload;
  };
  mutable std::mutex mutex_;
  std::deque<Row> rows_;
  std::uint64_t last_ = 0;
};

// One session of the storage. Reading always begins at the oldest event, and events that are outstanding are skipped.
class ListAdapter : public StorageAdapter {
 public:
  explicit ListAdapter(std::shared_ptr<List> list) : list_(std::move(list)) {}
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    list_->ForEach([&](const Event& event) { return request.is_outstanding(event.row_id) || batch.Add(event); });
  }
  void ConfirmEvent(ConfirmedRows rows, KeptRows&) override {
    for (const ConfirmedRow row : rows) list_->Remove(row.row_id.bytes());
  }
  void ConfirmFailed(Failures) override {}  // never called: Printer does not refuse events

 private:
  const std::shared_ptr<List> list_;
};

// A publisher that prints each event. An event counts as acknowledged once it is printed.
class Printer : public embed::Sender {
 public:
  explicit Printer(std::string name) : name_(std::move(name)) {}
  std::size_t Send(std::span<const Event> events) override {
    for (const Event& event : events)
      std::cout << name_ + ": " + std::string(*event.aggregate_id) + " " + std::string(*event.payload) + "\n";
    return events.size();
  }

 private:
  const std::string name_;
};

// An outbox and the relay that delivers it.
struct Shop {
  explicit Shop(const std::string& name)
      : relay(R"({"poll_interval": "20ms"})",
              embed::Storage::FromAdapter<ListAdapter>(outbox, "list", OUTBOX_CAN_ORDER_KEYS),
              embed::Publisher::FromSender(std::make_shared<Printer>(name)),
              [name](embed::LogLevel level, std::string_view line) {
                if (level >= embed::LogLevel::kWarning) std::clog << name + ": " + std::string(line) + "\n";
              }) {}
  const std::shared_ptr<List> outbox = std::make_shared<List>();
  embed::Relay relay;
};

}  // namespace

int main() {
  Shop north("north"), south("south");
  for (Shop* shop : {&north, &south}) shop->relay.Start();
  for (int i = 1; i <= 3; ++i) {
    north.outbox->Add("bread", std::to_string(i));
    south.outbox->Add("milk", std::to_string(i));
  }
  while (!north.outbox->empty() || !south.outbox->empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  for (Shop* shop : {&north, &south})
    if (!shop->relay.Stop(std::chrono::seconds(10))) return 1;
}
