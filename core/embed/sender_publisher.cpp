#include "embed/sender_publisher.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "publisher/headers.hpp"
#include "util/thread.hpp"

namespace outbox::embed {
namespace {

using publisher::Outcome;
using publisher::Outgoing;
using publisher::Prepared;
using publisher::PreparedBatch;
using publisher::Report;

class SenderPublisher final : public publisher::Publisher {
 public:
  SenderPublisher(publisher::PublisherListener& listener, std::shared_ptr<Sender> sender)
      : listener_(listener), sender_(std::move(sender)) {
    thread_ = util::StartThread("sender", [this] { Run(); });
  }

  ~SenderPublisher() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  Status Prepare(PreparedBatch& batch, Millis) override {
    batch.events.assign(batch.batch.size(), Prepared{});
    std::string ignored;
    for (std::size_t i = 0; i < batch.events.size(); ++i) {
      const Bytes headers = Maybe(batch.batch[i].headers);
      if (!headers) continue;
      const Status packed = publisher::PackHeaders(*headers, ignored);
      ignored.clear();
      if (packed.ok()) continue;
      batch.events[i].refusal = static_cast<std::int32_t>(batch.refusals.size());
      batch.refusals.push_back({"bad_headers", packed.text()});
    }
    return {};
  }
  void Cancel() override {}

  void Publish(std::span<const Outgoing> records, std::uint32_t epoch) override {
    {
      const std::lock_guard lock(mutex_);
      for (const Outgoing& record : records) coming_.push_back({record.Content().event, record.event, epoch});
    }
    changed_.notify_all();
  }

  void Reset(std::uint32_t epoch) override {
    {
      const std::lock_guard lock(mutex_);
      resets_.push_back(epoch);
    }
    changed_.notify_all();
  }

  publisher::Refusal Explain(std::int32_t) const override { return {"refused", "a sender cannot refuse an event"}; }

 private:
  // An event to send. The views in `event` are valid until the event is reported, because the batch lives until then.
  struct Item {
    Event event;
    std::uint32_t number;
    std::uint32_t epoch;
  };

  void Run() {
    std::deque<Item> items;
    for (;;) {
      std::vector<std::uint32_t> resets;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock,
                      [&] { return stop_ || !resets_.empty() || !coming_.empty() || (!items.empty() && !failed_); });
        if (stop_) return;
        resets.swap(resets_);
        std::move(coming_.begin(), coming_.end(), std::back_inserter(items));
        coming_.clear();
      }
      if (!resets.empty()) {
        ReportFront(items, items.size(), Outcome::kUnknown);
        failed_ = false;
        for (const std::uint32_t epoch : resets) listener_.OnReset(epoch);
      } else if (failed_) {
        ReportFront(items, items.size(), Outcome::kUnknown);
      } else {
        SendSome(items);
      }
    }
  }

  void SendSome(std::deque<Item>& items) {
    std::vector<Event> events;
    const std::size_t wanted = std::min(items.size(), kMaxEvents);
    for (std::size_t i = 0; i < wanted; ++i) events.push_back(items[i].event);
    std::size_t stored = 0;
    std::string why = "the sender did not store all events";
    try {
      stored = std::min(sender_->Send(events), wanted);
    } catch (const std::exception& error) {
      why = std::string("the sender: ") + error.what();
    } catch (...) {
      why = "the sender threw an unknown exception";
    }
    ReportFront(items, stored, Outcome::kAcknowledged);
    const bool up = stored == wanted;
    if (up != up_) listener_.OnBrokerState(up, up ? "the sender stores events again" : why);
    up_ = up;
    if (up) return;
    failed_ = true;  // Until Reset(), nothing is sent: no event may overtake one that was not stored.
    ReportFront(items, items.size(), Outcome::kUnknown);
  }

  void ReportFront(std::deque<Item>& items, std::size_t count, Outcome outcome) {
    if (count == 0) return;
    std::vector<Report> reports;
    reports.reserve(count);
    for (std::size_t i = 0; i < count; ++i) reports.push_back({items[i].number, items[i].epoch, outcome, 0});
    items.erase(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count));
    listener_.OnReports(reports);
  }

  static constexpr std::size_t kMaxEvents = 1000;  // Largest number of events in one call of Send().

  publisher::PublisherListener& listener_;
  const std::shared_ptr<Sender> sender_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> coming_;
  std::vector<std::uint32_t> resets_;
  bool stop_ = false;

  // Thread: only thread_, which calls the sender (failed_ and up_).
  bool failed_ = false;
  bool up_ = true;

  std::thread thread_;
};

}  // namespace

std::unique_ptr<publisher::Publisher> MakeSenderPublisher(publisher::PublisherListener& listener,
                                                          std::shared_ptr<Sender> sender) {
  return std::make_unique<SenderPublisher>(listener, std::move(sender));
}

}  // namespace outbox::embed
