#include "kafka/trial_sender.hpp"

#include <array>

#include "kafka/errors.hpp"
#include "kafka/reach.hpp"
#include "kafka/record.hpp"
#include "kafka/topic_limits.hpp"
#include "util/log.hpp"
#include "util/thread.hpp"

namespace outbox::kafka {

using namespace std::chrono_literals;
using publisher::Outcome;

namespace {
// kGrace is the time that a reset waits for answers to requests on the wire. kCollect is the time that the reset then
// waits for the reports of the records that it has purged.
constexpr auto kGrace = 500ms;
constexpr auto kCollect = 2s;
constexpr auto kPurgeAgain = 100ms;
// The producer is destroyed after this time without trials, because it costs connections.
constexpr auto kIdle = 60s;
constexpr auto kMetadataTimeout = 1s;
// The pause after a query for metadata without an answer. While no broker answers, most trials are handed over without
// such a query. If each trial made a query, the waiting times would add up and delay a stop.
constexpr auto kMetadataAgain = 5s;
}  // namespace

TrialSender::TrialSender(const Settings& settings, TopicCache& topic_cache, ProducerDisposal& disposal,
                         publisher::PublisherListener& listener, std::shared_ptr<spdlog::logger> logger)
    : settings_(settings),
      topic_cache_(topic_cache),
      disposal_(disposal),
      listener_(listener),
      logger_(std::move(logger)),
      logins_(settings),
      gate_(std::make_shared<ConnectGate>(settings)) {}

void TrialSender::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (producer_ != nullptr) producer_->Wake();
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  Retire();
}

void TrialSender::Send(std::span<const publisher::Outgoing> records, std::uint32_t epoch) {
  const std::lock_guard lock(mutex_);
  for (const publisher::Outgoing& record : records) coming_.push_back({record, epoch});
  Start();
}

void TrialSender::Reset(std::uint32_t epoch) {
  const std::lock_guard lock(mutex_);
  reset_ = epoch;
  Start();
}

// Starts thread_ if it does not run yet, and wakes it. REQUIRES: the caller holds mutex_.
void TrialSender::Start() {
  if (!thread_.joinable()) thread_ = util::StartThread("kafka-trials", [this] { Run(); });
  if (producer_ != nullptr) producer_->Wake();
  changed_.notify_all();
}

bool TrialSender::Stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void TrialSender::Run() {
  for (;;) {
    std::vector<Item> items;
    std::optional<std::uint32_t> reset;
    {
      std::unique_lock lock(mutex_);
      if (producer_ == nullptr) changed_.wait(lock, [this] { return stop_ || reset_ || !coming_.empty(); });
      if (stop_) return;
      reset = std::exchange(reset_, std::nullopt);
      items.swap(coming_);
    }
    // The reset drops the items that were handed over before. Between Reset() and OnReset() the engine hands over no
    // records.
    if (reset) {
      CarryOutReset(*reset);
      continue;
    }
    for (const Item& item : items) {
      if (Stopping()) return;
      Begin(item);
    }
    if (producer_ == nullptr) continue;
    Serve(1s);
    LogInAgain();
    if (in_flight_.empty() && Clock::now() > last_used_ + kIdle) Retire();
  }
}

void TrialSender::Begin(const Item& item) {
  last_used_ = Clock::now();
  if (!HasProducer()) return Report(item, Outcome::kUnknown, RD_KAFKA_RESP_ERR__FAIL);
  in_flight_.emplace(item.record.event, item);
  producer_->outstanding.fetch_add(1);
  const rd_kafka_resp_err_t error = HandOver(item);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  producer_->outstanding.fetch_sub(1);
  in_flight_.erase(item.record.event);
  Report(item, OutcomeOf(error), error);
}

bool TrialSender::HasProducer() {
  if (producer_ != nullptr) return true;
  Settings settings = settings_;
  settings.properties = logins_.Choose();
  auto made = Producer::MakeForTrials(settings, logger_, gate_);
  if (!made.ok()) {
    // A producer of the main stream was made from the same configuration, so the cause is a certificate or secret that
    // is being replaced, or a shortage of resources on this machine.
    logins_.Refused();
    util::LogDebug(*logger_, "no producer for trials: {}", made.status().text());
    return false;
  }
  const std::lock_guard lock(mutex_);
  producer_ = std::move(*made);
  return true;
}

rd_kafka_resp_err_t TrialSender::HandOver(const Item& item) {
  const std::shared_ptr<const Lanes> lanes = topic_cache_.lanes();
  const auto [topic, partition] = lanes->targets[item.record.lane()];
  rd_kafka_topic_t* const handle = producer_->TopicOf(topic, lanes->topics[topic]);
  if (handle != nullptr && !known_.contains(topic) && Clock::now() >= next_metadata_) AskForMetadata(topic, handle);
  return Produce(producer_->handle(), handle, partition, item.record.Content(),
                 reinterpret_cast<void*>(std::uintptr_t{item.record.event}));
}

// Queries the metadata of a topic. Without metadata the record would wait for the library's own next query, which takes
// up to a second.
void TrialSender::AskForMetadata(std::uint32_t topic, rd_kafka_topic_t* handle) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(producer_->handle(), 0, handle, &raw, kMetadataTimeout / 1ms);
  const MetadataPtr answer(raw);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    known_.insert(topic);
    LoginWorked();
  } else {
    next_metadata_ = Clock::now() + kMetadataAgain;
  }
}

void TrialSender::Serve(std::chrono::milliseconds timeout) {
  const EventPtr event = producer_->NextEvent(timeout);
  if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) TakeError(event.get());
  if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_DR) return;
  std::array<const rd_kafka_message_t*, 64> messages;
  while (const std::size_t count = rd_kafka_event_message_array(event.get(), messages.data(), messages.size())) {
    for (const rd_kafka_message_t* message : std::span(messages.data(), count)) TakeReport(*message);
  }
}

// Logs a refused login of this producer. The producer of the main stream reports whether brokers are available at all,
// but it may still have connections from an earlier login while the login of this producer is refused.
void TrialSender::TakeError(rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  const std::string text = settings_.Clean(rd_kafka_event_error_string(event));
  util::LogDebug(*logger_, "librdkafka, trials: {}", text);
  if (ConnectGate::Prevented(text)) return;
  if (error != RD_KAFKA_RESP_ERR__AUTHENTICATION && error != RD_KAFKA_RESP_ERR__SSL) return;
  const ConnectionError explained = ExplainConnection(error, text, producer_->certificates(), settings_.Servers());
  if (explained.kind != ConnectionError::Kind::kLogin) return;
  logins_.Refused();
  gate_->Refused(explained.address, Clock::now());
  if (!std::exchange(login_logged_, true))
    util::LogWarning(*logger_,
                     "cannot send events that Kafka may refuse: {}; they wait while the relay retries the login",
                     Describe(explained));
}

void TrialSender::LoginWorked() {
  if (logins_.refused()) gate_->LoginsWork();
  logins_.Worked();
  if (std::exchange(login_logged_, false)) util::LogInfo(*logger_, "sending of events that Kafka may refuse recovered");
}

void TrialSender::LogInAgain() {
  if (!logins_.WorthATry(false)) return;
  next_metadata_ = {};
  // The purge reports the events in flight as unknown; the engine then resets the stream of trials.
  if (in_flight_.empty())
    Retire();
  else
    producer_->Purge();
}

void TrialSender::TakeReport(const rd_kafka_message_t& message) {
  producer_->outstanding.fetch_sub(1);
  const auto found = in_flight_.find(static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(message._private)));
  if (found == in_flight_.end()) return;
  const Item item = found->second;
  in_flight_.erase(found);
  // An error code of 0 or more comes from the broker, not from the library.
  if (message.err >= RD_KAFKA_RESP_ERR_NO_ERROR) LoginWorked();
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR)
    return Report(item, message.offset >= 0 ? Outcome::kAcknowledged : Outcome::kUnknown, message.err);
  Report(item, OutcomeOf(message.err), message.err);
}

// Reports the outcome of a trial. Updates the topic cache first, because the event may be read again as soon as its
// outcome is reported.
void TrialSender::Report(const Item& item, Outcome outcome, rd_kafka_resp_err_t error) {
  const std::shared_ptr<const Lanes> lanes = topic_cache_.lanes();
  const std::uint32_t topic = lanes->targets[item.record.lane()].topic;
  if (IsAboutTopic(error)) {
    topic_cache_.Invalidate(lanes->topics[topic]);
    known_.erase(topic);
  }
  const bool stored = outcome == Outcome::kAcknowledged;
  if (IsTooLarge(error) || (stored && item.record.prepared().doubtful))
    topic_cache_.NoteSize(lanes->topics[topic], BatchBytes(item.record.Content()), stored);
  const publisher::Report report{item.record.event, item.epoch, outcome, error};
  listener_.OnReports({&report, 1});
}

void TrialSender::CarryOutReset(std::uint32_t epoch) {
  if (producer_ != nullptr) {
    const auto serve_until = [this](Clock::time_point end) {
      while (producer_->outstanding.load() > 0 && Clock::now() < end && !Stopping()) Serve(10ms);
    };
    serve_until(Clock::now() + kGrace);
    for (const auto end = Clock::now() + kCollect;
         producer_->outstanding.load() > 0 && Clock::now() < end && !Stopping();) {
      producer_->Purge();
      serve_until(Clock::now() + kPurgeAgain);
    }
    const bool all_in = producer_->outstanding.load() == 0;
    Retire();
    // One of librdkafka's broker threads may still read a record that has no report, so the payloads must stay until
    // that thread has ended.
    while (!all_in && !disposal_.Wait(kPurgeAgain)) {
      if (Stopping()) return;
    }
  }
  listener_.OnReset(epoch);
}

void TrialSender::Retire() {
  std::shared_ptr<Producer> old;
  {
    const std::lock_guard lock(mutex_);
    old.swap(producer_);
  }
  in_flight_.clear();
  known_.clear();
  if (old == nullptr) return;
  old->Purge();
  disposal_.Dispose(std::move(old));
}

}  // namespace outbox::kafka
