#include "kafka/kafka_publisher.hpp"

#include <spdlog/logger.h>

#include <array>
#include <optional>
#include <thread>

#include "kafka/broker_state.hpp"
#include "kafka/burial.hpp"
#include "kafka/errors.hpp"
#include "kafka/preparer.hpp"
#include "kafka/topic_directory.hpp"
#include "publish/headers.hpp"
#include "publish/thread.hpp"

namespace outbox::kafka {
namespace {

using namespace std::chrono_literals;
using publish::Outcome;
using publish::Report;

// How long a reset waits for answers to what is on the wire: each one that comes is an event that is not sent twice.
constexpr auto kGrace = 500ms;
// And then, after the purge, for the reports of all the rest.
constexpr auto kCollect = 2s;
constexpr auto kPurgeAgain = 100ms;
constexpr auto kIdleWait = 1s;
constexpr auto kProbeInterval = 500ms;
constexpr auto kProbeTimeout = 200ms;
constexpr auto kLastRites = 2s;

// librdkafka carries one pointer per record.
void* Pack(std::uint32_t event, std::uint32_t epoch) {
  static_assert(sizeof(void*) == 8);
  return reinterpret_cast<void*>(std::uint64_t{epoch} << 32 | event);
}
Report Unpack(const void* opaque, Outcome outcome, std::int32_t error) {
  const auto bits = reinterpret_cast<std::uint64_t>(opaque);
  return {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32), outcome, error};
}

class KafkaPublisher final : public publish::Publisher {
 public:
  KafkaPublisher(Settings settings, std::shared_ptr<Producer> producer, publish::PublisherListener& listener,
                 std::shared_ptr<spdlog::logger> logger)
      : settings_(std::move(settings)),
        listener_(listener),
        logger_(std::move(logger)),
        state_(listener),
        producer_(std::move(producer)),
        directory_([this] { return CurrentProducer(); }, settings_, logger_),
        events_(publish::StartThread("kafka-events", [this] { Run(); })) {}

  ~KafkaPublisher() override {
    directory_.Cancel();
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      producer_->Wake();
    }
    events_.join();
    producer_->StopSending();
    producer_->Purge();
    burial_.Bury(std::move(producer_));
    if (!burial_.Wait(kLastRites)) {
      logger_->warn("librdkafka has not ended its threads within {} s; leaving them", kLastRites / 1s);
    }
  }

  Status Prepare(publish::PreparedBatch& batch, Millis timeout) override;
  void Cancel() override { directory_.Cancel(); }
  void Publish(const publish::PreparedBatch& batch, std::span<const publish::Outgoing> records,
               std::uint32_t epoch) override;

  void Reset(std::uint32_t epoch) override {
    const std::lock_guard lock(mutex_);
    reset_ = epoch;
    producer_->Wake();
  }

  publish::Refusal Explain(std::int32_t error) const override {
    return ExplainError(static_cast<rd_kafka_resp_err_t>(error));
  }

 private:
  // [engine]
  rd_kafka_resp_err_t HandOver(Producer& producer, rd_kafka_topic_t* topic, std::int32_t partition, const Event& event,
                               std::string_view packed_headers, void* opaque);

  // [events]
  void Run();
  void Serve(Producer& producer, std::chrono::milliseconds timeout);
  void TakeReports(Producer& producer, rd_kafka_event_t* event);
  void TakeError(const Producer& producer, rd_kafka_event_t* event);
  void CarryOutReset(std::uint32_t epoch);
  void Collect(Producer& producer);
  [[nodiscard]] std::shared_ptr<Producer> MakeAnew();
  void Probe(const Producer& producer);
  [[nodiscard]] bool Stopping() const {
    const std::lock_guard lock(mutex_);
    return stop_;
  }

  [[nodiscard]] std::shared_ptr<Producer> CurrentProducer() const {
    const std::lock_guard lock(mutex_);
    return producer_;
  }

  const Settings settings_;
  publish::PublisherListener& listener_;
  const std::shared_ptr<spdlog::logger> logger_;
  BrokerState state_;
  Burial burial_;

  mutable std::mutex mutex_;
  std::shared_ptr<Producer> producer_;  // never null while the events thread runs
  std::optional<std::uint32_t> reset_;
  bool stop_ = false;

  // Something did not get through: what came after it would leave a hole. Until Reset.
  std::atomic<bool> broken_{false};
  // The largest request that every topic takes.
  std::atomic<std::int64_t> max_batch_bytes_{kBatchBytes};

  TopicDirectory directory_;
  Preparer preparer_{directory_};   // [reader]
  std::vector<Report> reports_;     // [events]
  Clock::time_point next_probe_{};  // [events]
  std::thread events_;
};

Status KafkaPublisher::Prepare(publish::PreparedBatch& batch, Millis timeout) {
  Status prepared = preparer_.Prepare(batch, Clock::now() + timeout);
  if (prepared.code() == OUTBOX_UNAVAILABLE) {
    const std::string trouble = state_.trouble();
    state_.Down(prepared.text());
    return trouble.empty() ? prepared : Status(OUTBOX_UNAVAILABLE, "Kafka does not answer: " + trouble);
  }
  if (const auto limit = static_cast<std::int64_t>(std::min<std::uint64_t>(directory_.smallest_limit(), kBatchBytes));
      limit < max_batch_bytes_.load()) {
    // A request that is larger than its topic takes is refused as a whole, however small the events in it.
    max_batch_bytes_.store(limit);
    broken_.store(true);
    listener_.OnProducerFailed("a topic takes " + std::to_string(limit) +
                               " bytes at once: making a producer that sends no more than that");
  }
  return prepared;
}

void KafkaPublisher::Publish(const publish::PreparedBatch& batch, std::span<const publish::Outgoing> records,
                             std::uint32_t epoch) {
  const std::shared_ptr<Producer> producer = CurrentProducer();
  const std::shared_ptr<const Lanes> lanes = directory_.lanes();
  std::size_t done = 0;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  producer->outstanding.fetch_add(static_cast<std::int64_t>(records.size()), std::memory_order_relaxed);
  for (; done < records.size() && !broken_.load(std::memory_order_relaxed); ++done) {
    const publish::Prepared& prepared = batch.events[records[done].index];
    const auto [topic, partition] = lanes->targets[prepared.lane];
    error = HandOver(*producer, producer->TopicOf(topic, lanes->topics[topic]), partition,
                     ToEvent(batch.batch[records[done].index]),
                     std::string_view(batch.packed_headers).substr(prepared.headers_at, prepared.headers_size),
                     Pack(records[done].event, epoch));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    broken_.store(true);
    if (IsAboutTopic(error)) directory_.Doubt(lanes->topics[topic]);
    break;
  }
  if (done == records.size()) return;
  producer->outstanding.fetch_sub(static_cast<std::int64_t>(records.size() - done), std::memory_order_relaxed);
  // The one that failed, as what it is; those behind it as not sent.
  std::vector<Report> reports;
  Outcome outcome = error == RD_KAFKA_RESP_ERR_NO_ERROR ? Outcome::kUnknown : OutcomeOf(error);
  for (const publish::Outgoing& record : records.subspan(done)) {
    reports.push_back({record.event, epoch, outcome, error});
    outcome = Outcome::kUnknown;
  }
  listener_.OnReports(reports);
}

rd_kafka_resp_err_t KafkaPublisher::HandOver(Producer& producer, rd_kafka_topic_t* topic, std::int32_t partition,
                                             const Event& event, std::string_view packed_headers, void* opaque) {
  if (topic == nullptr) return rd_kafka_last_error();
  publish::HeaderReader own(packed_headers);
  HeadersPtr headers(rd_kafka_headers_new(2 + own.count()));
  const auto add = [&headers](std::string_view name, const Bytes& value) {
    const outbox_bytes raw = Raw(value);
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), raw.data,
                        static_cast<ssize_t>(raw.size));
  };
  add(publish::kEventIdHeader, event.event_id);
  add(publish::kEventTypeHeader, event.event_type);
  for (publish::Header h; own.Next(h);) add(h.name, h.value);

  const outbox_bytes key = Raw(event.aggregate_id);
  const outbox_bytes value = Raw(event.payload);
  // Without a copy flag the payload stays in the batch's arena until the report. Not produceva: before 2.12 it frees
  // the headers twice when it fails.
  const rd_kafka_resp_err_t error =
      rd_kafka_producev(producer.handle(), RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
                        RD_KAFKA_V_KEY(key.data, key.size), RD_KAFKA_V_VALUE(const_cast<void*>(value.data), value.size),
                        RD_KAFKA_V_HEADERS(headers.get()), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) static_cast<void>(headers.release());
  return error;
}

void KafkaPublisher::Run() {
  for (;;) {
    std::optional<std::uint32_t> reset;
    std::shared_ptr<Producer> producer;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      reset = std::exchange(reset_, std::nullopt);
      producer = producer_;
    }
    if (reset) {
      producer.reset();
      CarryOutReset(*reset);
    } else {
      Serve(*producer, state_.up() ? std::chrono::milliseconds(kIdleWait) : kProbeInterval);
      if (!state_.up() && Clock::now() >= next_probe_) Probe(*producer);
    }
  }
}

void KafkaPublisher::Serve(Producer& producer, std::chrono::milliseconds timeout) {
  const EventPtr event = producer.NextEvent(timeout);
  switch (rd_kafka_event_type(event.get())) {
    case RD_KAFKA_EVENT_DR:
      TakeReports(producer, event.get());
      break;
    case RD_KAFKA_EVENT_ERROR:
      TakeError(producer, event.get());
      break;
    default:
      break;
  }
}

void KafkaPublisher::TakeReports(Producer& producer, rd_kafka_event_t* event) {
  reports_.clear();
  bool stored = false;
  std::array<const rd_kafka_message_t*, 256> messages;
  while (const std::size_t count = rd_kafka_event_message_array(event, messages.data(), messages.size())) {
    for (const rd_kafka_message_t* message : std::span(messages.data(), count)) {
      Outcome outcome = Outcome::kUnknown;
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        outcome = OutcomeOf(message->err);
        if (IsAboutTopic(message->err)) directory_.Doubt(rd_kafka_topic_name(message->rkt));
      } else if (message->offset >= 0) {
        // Without an offset the library has only concluded that the record must be there.
        outcome = Outcome::kStored;
      }
      if (outcome == Outcome::kStored) {
        stored = true;
      } else {
        broken_.store(true);
      }
      reports_.push_back(Unpack(message->_private, outcome, message->err));
    }
  }
  producer.outstanding.fetch_sub(static_cast<std::int64_t>(reports_.size()), std::memory_order_relaxed);
  if (stored) state_.Up();
  if (!reports_.empty()) listener_.OnReports(reports_);
}

void KafkaPublisher::TakeError(const Producer& producer, rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  const char* const text = rd_kafka_event_error_string(event);
  if (rd_kafka_event_error_is_fatal(event) != 0) {
    if (producer.stopped()) return;  // its own doing
    broken_.store(true);
    if (error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) {
      state_.Note("the relay's user may not write idempotently; grant it IdempotentWrite on the cluster");
      state_.Down(text);
    }
    listener_.OnProducerFailed(text);
    return;
  }
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
      state_.Note(text);
      state_.Down(text);
      break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: {
      const auto servers = settings_.properties.find("bootstrap.servers");
      state_.Down(text + (servers != settings_.properties.end() ? ", looked at " + servers->second : std::string()));
      break;
    }
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
      state_.Note(text);
      break;
    default:
      logger_->debug("librdkafka: {}: {}", ErrorText(error), text);
  }
}

void KafkaPublisher::CarryOutReset(std::uint32_t epoch) {
  std::shared_ptr<Producer> old = CurrentProducer();
  Collect(*old);
  const bool all_in = old->outstanding.load() == 0;

  std::shared_ptr<Producer> fresh = MakeAnew();
  if (fresh == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    producer_ = fresh;
  }
  burial_.Bury(std::move(old));
  if (!all_in) {
    // What got no report may still be read by a broker's thread: the payloads must stay until it has ended.
    while (!burial_.Wait(kPurgeAgain)) {
      if (Stopping()) return;
    }
  }
  // A metadata answer makes librdkafka ask for its producer id at once, instead of after half a second.
  Probe(*fresh);
  broken_.store(false);
  listener_.OnReset(epoch);
}

void KafkaPublisher::Collect(Producer& producer) {
  producer.StopSending();
  const auto serve_until = [&](Clock::time_point end) {
    while (producer.outstanding.load() > 0 && Clock::now() < end && !Stopping()) Serve(producer, 10ms);
  };
  serve_until(Clock::now() + kGrace);
  for (const auto end = Clock::now() + kCollect;
       producer.outstanding.load() > 0 && Clock::now() < end && !Stopping();) {
    // Again and again: a record may be on its way from one of the library's queues to another.
    producer.Purge();
    serve_until(Clock::now() + kPurgeAgain);
  }
}

std::shared_ptr<Producer> KafkaPublisher::MakeAnew() {
  for (;;) {
    auto made = Producer::Make(settings_, max_batch_bytes_.load(), logger_);
    if (made.ok()) return *made;
    // It could be made once, so this is the machine's trouble: descriptors, memory, a certificate being replaced.
    state_.Note(made.status().text());
    state_.Down(made.status().text());
    for (const auto end = Clock::now() + 1s; Clock::now() < end;) {
      if (Stopping()) return nullptr;
      std::this_thread::sleep_for(20ms);
    }
  }
}

void KafkaPublisher::Probe(const Producer& producer) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(producer.handle(), 0, nullptr, &raw, kProbeTimeout / 1ms);
  const MetadataPtr answer(raw);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) state_.Up();
  next_probe_ = Clock::now() + kProbeInterval;
}

}  // namespace

Result<std::unique_ptr<publish::Publisher>> MakeKafkaPublisher(Settings settings, publish::PublisherListener& listener,
                                                               std::shared_ptr<spdlog::logger> logger) {
  auto producer = Producer::Make(settings, kBatchBytes, logger);
  if (!producer.ok()) return producer.status();
  return std::unique_ptr<publish::Publisher>(
      std::make_unique<KafkaPublisher>(std::move(settings), std::move(*producer), listener, std::move(logger)));
}

}  // namespace outbox::kafka
