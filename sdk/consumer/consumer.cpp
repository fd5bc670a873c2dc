#include "outbox/consumer.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "partition.hpp"

namespace outbox::consumer {
namespace {

void Require(bool condition, const std::string& what) {
  if (!condition) throw std::invalid_argument("consumer: " + what);
}

bool IsCooperative(rd_kafka_t* handle) { return std::strcmp(rd_kafka_rebalance_protocol(handle), "COOPERATIVE") == 0; }

Settings Checked(Settings settings) {
  Require(!settings.kafka["bootstrap.servers"].empty(), "the settings in kafka lack bootstrap.servers");
  Require(!settings.kafka["group.id"].empty(), "the settings in kafka lack group.id");
  Require(!settings.topics.empty(), "topics must name at least one topic");
  Require(settings.concurrency > 0, "concurrency must be at least 1");
  Require(settings.batch_size > 0, "batch_size must be at least 1");
  Require(settings.retry_backoff > Millis(0), "retry_backoff must be above 0");
  for (const char* own : {"enable.auto.commit", "enable.auto.offset.store"})
    Require(!settings.kafka.contains(own), std::string("the consumer sets ") + own + " itself; leave it out");
  const bool uses_dead_letters = settings.missing_headers == Policy::kDeadLetter ||
                                 settings.unknown_type == Policy::kDeadLetter ||
                                 settings.rejected == Policy::kDeadLetter;
  Require(uses_dead_letters == !settings.dead_letter_topic.empty(),
          "dead_letter_topic must be set exactly if one of the policies is kDeadLetter");
  settings.kafka.try_emplace("auto.offset.reset", "earliest");
  settings.kafka.try_emplace("auto.commit.interval.ms", "1000");
  // The limit applies to each partition separately, because each partition has its own queue.
  settings.kafka.try_emplace("queued.max.messages.kbytes", "8192");
  // Only stored offsets are committed automatically, and an offset is stored after its record was handled.
  settings.kafka["enable.auto.commit"] = "true";
  settings.kafka["enable.auto.offset.store"] = "false";
  return settings;
}

}  // namespace

class Consumer::Impl final : public Client {
 public:
  explicit Impl(Settings settings) : settings_(Checked(std::move(settings))) {}
  ~Impl() override { Stop(); }

  void Add(std::vector<std::string> types, const std::shared_ptr<const Route>& route) {
    const std::scoped_lock lock(lifecycle_);
    if (started_) throw std::logic_error("consumer: handlers must be added before Start");
    for (const std::string& type : types)
      if (routes_.contains(type))
        throw std::logic_error("consumer: the event type \"" + type + "\" already has a handler");
    for (std::string& type : types) routes_.emplace(std::move(type), route);
  }

  void Start() {
    const std::scoped_lock lock(lifecycle_);
    if (running_) throw std::logic_error("consumer: it is already running");
    if (thread_.joinable()) thread_.join();
    context_.reset(new Context{settings_, routes_, totals_, [this](const std::string& why) { Fail(why); }});
    if (!settings_.dead_letter_topic.empty()) dead_letters_ = std::make_unique<DeadLetters>(settings_);
    context_->dead_letters = dead_letters_.get();
    handle_ = MakeHandle(RD_KAFKA_CONSUMER, settings_.kafka, *this);
    context_->handle = handle_.get();
    rd_kafka_poll_set_consumer(handle_.get());
    started_ = true;
    {
      const std::scoped_lock state(state_);
      failure_.reset();
      stop_requested_ = false;
      running_ = true;
    }
    thread_ = std::thread([this] { Run(); });
  }

  void Stop() {
    if (Inside::Here())
      throw std::logic_error("consumer: Stop inside a handler would wait for itself; use RequestStop");
    RequestStop();
    const std::scoped_lock lock(lifecycle_);
    if (thread_.joinable()) thread_.join();
  }
  void RequestStop() { stop_requested_ = true; }

  bool Wait() {
    std::unique_lock lock(state_);
    stopped_.wait(lock, [&] { return !running_; });
    return !failure_;
  }
  [[nodiscard]] bool running() const { return running_; }
  [[nodiscard]] std::optional<std::string> failure() const {
    const std::scoped_lock lock(state_);
    return failure_;
  }
  [[nodiscard]] Counters counters() const { return totals_.Now(); }

 private:
  // Thread: the functions from here to Revoke() run on the consumer's own thread.

  void Run() {
    Subscribe();
    while (!stop_requested_) {
      const MessagePtr message(rd_kafka_consumer_poll(handle_.get(), 100));
      if (message) Take(*message);
    }
    for (const auto& partition : partitions_) partition->AskToStop();
    rd_kafka_consumer_close(handle_.get());  // This calls Rebalance().
    partitions_.clear();
    handle_.reset();
    dead_letters_.reset();
    const std::scoped_lock lock(state_);
    running_ = false;
    stopped_.notify_all();
  }

  void Subscribe() {
    const PartitionsPtr topics(rd_kafka_topic_partition_list_new(static_cast<int>(settings_.topics.size())));
    for (const std::string& topic : settings_.topics)
      rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t error = rd_kafka_subscribe(handle_.get(), topics.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      Fail(std::string("cannot subscribe to the topics: ") + rd_kafka_err2str(error));
  }

  // Handles a message of the consumer's own queue. Records arrive in the queues of their partitions, so a message in
  // this queue reports an error of the consumer group.
  void Take(const rd_kafka_message_t& message) {
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) return Fail("a record arrived outside the queue of its partition");
    const std::string text = rd_kafka_message_errstr(&message);
    if (message.err == RD_KAFKA_RESP_ERR__FATAL) return Fail(text);
    Log(LogLevel::kWarning, text);
  }

  void Rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* list) override {
    std::vector<TopicPartition> partitions;
    for (int i = 0; i < list->cnt; ++i) partitions.push_back({list->elems[i].topic, list->elems[i].partition});
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) return Assign(handle, partitions, list);
    Revoke(handle, partitions);
    if (IsCooperative(handle)) {
      rd_kafka_error_destroy(rd_kafka_incremental_unassign(handle, list));
    } else {
      rd_kafka_assign(handle, nullptr);
    }
  }

  void Assign(rd_kafka_t* handle, const std::vector<TopicPartition>& partitions,
              rd_kafka_topic_partition_list_t* list) {
    const std::size_t before = partitions_.size();
    for (const TopicPartition& partition : partitions)
      partitions_.push_back(std::make_unique<Partition>(*context_, partition));
    try {
      const Inside inside;
      if (settings_.setup && !partitions.empty()) settings_.setup(partitions);
    } catch (const std::exception& error) {
      Fail(std::string("setup: ") + error.what());
    } catch (...) {
      Fail("setup threw an exception that is not a std::exception");
    }
    if (IsCooperative(handle)) {
      rd_kafka_error_destroy(rd_kafka_incremental_assign(handle, list));
    } else {
      rd_kafka_assign(handle, list);
    }
    if (stop_requested_) return;
    try {
      for (std::size_t i = before; i < partitions_.size(); ++i) partitions_[i]->Start();
    } catch (const std::system_error& error) {
      return Fail(std::string("cannot start a thread for a partition: ") + error.what());
    }
    if (!partitions.empty()) Log(LogLevel::kInfo, "assigned " + std::to_string(partitions.size()) + " partitions");
  }

  void Revoke(rd_kafka_t* handle, const std::vector<TopicPartition>& partitions) {
    const auto gone = [&](const auto& partition) {
      return std::find(partitions.begin(), partitions.end(), partition->partition()) != partitions.end();
    };
    std::size_t count = 0;
    for (const auto& partition : partitions_)
      if (gone(partition)) ++count, partition->AskToStop();
    if (count == 0) return;
    for (const auto& partition : partitions_)
      if (gone(partition)) partition->Stop();
    std::erase_if(partitions_, gone);
    try {
      const Inside inside;
      if (settings_.cleanup) settings_.cleanup(partitions);
    } catch (const std::exception& error) {
      Log(LogLevel::kError, std::string("cleanup: ") + error.what());
    } catch (...) {
      Log(LogLevel::kError, "cleanup threw an exception that is not a std::exception");
    }
    // After the partitions were lost, their offsets cannot be committed.
    if (rd_kafka_assignment_lost(handle) != 0)
      return Log(LogLevel::kWarning, "the partitions were lost; records that are not committed will be handled again");
    const rd_kafka_resp_err_t error = rd_kafka_commit(handle, nullptr, 0);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__NO_OFFSET)
      Log(LogLevel::kWarning,
          std::string("the commit failed; records will be handled again: ") + rd_kafka_err2str(error));
  }

  // Thread of Log() and Fail(): any.

  void Log(LogLevel level, std::string_view line) override {
    if (settings_.log) settings_.log(level, line);
  }
  void Fail(const std::string& why) {
    {
      const std::scoped_lock lock(state_);
      if (!failure_ && !stop_requested_) failure_ = why;
    }
    Log(LogLevel::kError, "the consumer stops: " + why);
    stop_requested_ = true;
  }

  const Settings settings_;
  std::map<std::string, std::shared_ptr<const Route>, std::less<>> routes_;
  Totals totals_{};

  std::mutex lifecycle_;  // Serialises Add, Start and Stop.
  bool started_ = false;
  std::thread thread_;

  std::unique_ptr<Context> context_;
  std::unique_ptr<DeadLetters> dead_letters_;
  HandlePtr handle_;
  std::vector<std::unique_ptr<Partition>> partitions_;

  mutable std::mutex state_;
  std::condition_variable stopped_;
  std::atomic<bool> stop_requested_{false};
  std::atomic<bool> running_{false};
  std::optional<std::string> failure_;
};

Consumer::Consumer(Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
Consumer::~Consumer() = default;

void Consumer::On(std::string event_type, Handler handler) {
  impl_->Add({std::move(event_type)}, std::make_shared<Route>(Route{std::move(handler), nullptr}));
}
void Consumer::OnBatch(std::vector<std::string> event_types, BatchHandler handler) {
  impl_->Add(std::move(event_types), std::make_shared<Route>(Route{nullptr, std::move(handler)}));
}
void Consumer::Start() { impl_->Start(); }
void Consumer::Stop() { impl_->Stop(); }
void Consumer::RequestStop() { impl_->RequestStop(); }
bool Consumer::Wait() { return impl_->Wait(); }
bool Consumer::running() const { return impl_->running(); }
std::optional<std::string> Consumer::failure() const { return impl_->failure(); }
Counters Consumer::counters() const { return impl_->counters(); }

}  // namespace outbox::consumer
