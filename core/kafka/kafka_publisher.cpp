#include "kafka/kafka_publisher.hpp"

#include <array>
#include <optional>
#include <thread>

#include "kafka/broker_state.hpp"
#include "kafka/broker_troubles.hpp"
#include "kafka/errors.hpp"
#include "kafka/lane_order.hpp"
#include "kafka/logins.hpp"
#include "kafka/may_produce.hpp"
#include "kafka/producer_disposal.hpp"
#include "kafka/record.hpp"
#include "kafka/record_router.hpp"
#include "kafka/topic_cache.hpp"
#include "kafka/trial_sender.hpp"
#include "util/log.hpp"
#include "util/thread.hpp"

namespace outbox::kafka {
namespace {

using namespace std::chrono_literals;
using publisher::Outcome;
using publisher::Report;

// The time that a reset waits for answers to requests on the wire. Each acknowledgement that arrives in this time saves
// a duplicate.
constexpr auto kGrace = 500ms;
// The time that a reset waits, after kGrace and a purge, for the reports of all other records.
constexpr auto kCollect = 2s;
constexpr auto kPurgeAgain = 100ms;
constexpr auto kIdleWait = 1s;
constexpr auto kProbeInterval = 500ms;
constexpr auto kProbeTimeout = 200ms;
constexpr auto kDestroyTimeout = 2s;
// A broker that has closed a connection, for example because the login was too old, accepts a new connection within
// this time.
constexpr auto kReconnects = 1s;

// The lower limit, in bytes, to which LearnFrom reduces the size of requests.
constexpr std::int64_t kSmallestBatch = 1000;

// Pack the event and the epoch into the one pointer that librdkafka carries for each record, and unpack them again.
void* Pack(std::uint32_t event, std::uint32_t epoch) {
  static_assert(sizeof(void*) == 8);
  return reinterpret_cast<void*>(std::uint64_t{epoch} << 32 | event);
}
Report Unpack(const void* opaque, Outcome outcome, std::int32_t error) {
  const auto bits = reinterpret_cast<std::uint64_t>(opaque);
  return {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32), outcome, error};
}

class KafkaPublisher final : public publisher::Publisher {
 public:
  KafkaPublisher(Settings settings, std::shared_ptr<ConnectGate> gate, std::shared_ptr<Producer> producer,
                 publisher::PublisherListener& listener, std::shared_ptr<spdlog::logger> logger)
      : settings_(std::move(settings)),
        gate_(std::move(gate)),
        listener_(listener),
        logger_(std::move(logger)),
        state_(listener),
        producer_(std::move(producer)),
        topic_cache_({.producer = [this] { return CurrentProducer(); },
                      .asker = {.answered = [this] { listener_.OnTopicsKnown(); },
                                .silent = [this](const std::string& why) { state_.Lacks(Need::kAnswers, why); }},
                      .is_down = [this] { return state_.Is(Need::kAnswers) || state_.Is(Need::kBrokers); }},
                     settings_, logger_),
        events_(util::StartThread("kafka-events", [this] { Run(); })) {}

  ~KafkaPublisher() override {
    topic_cache_.Cancel();
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      producer_->Wake();
    }
    events_.join();
    trials_.Stop();
    topic_cache_.Stop();
    producer_->StopSending();
    producer_->Purge();
    disposal_.Dispose(std::move(producer_));
    if (!disposal_.Wait(kDestroyTimeout)) {
      util::LogWarning(*logger_, "librdkafka has not ended its threads within {} s; not waiting any longer",
                       kDestroyTimeout / 1s);
    }
  }

  Status Prepare(publisher::PreparedBatch& batch, Millis timeout) override;
  void Cancel() override { topic_cache_.Cancel(); }
  void Publish(std::span<const publisher::Outgoing> records, std::uint32_t epoch) override;

  void Reset(std::uint32_t epoch) override {
    if (publisher::IsTrial(epoch)) return trials_.Reset(epoch);
    const std::lock_guard lock(mutex_);
    reset_ = epoch;
    producer_->Wake();
  }

  publisher::Refusal Explain(std::int32_t error) const override {
    return ExplainError(static_cast<rd_kafka_resp_err_t>(error));
  }

 private:
  // The records of one request that was refused because of its size. librdkafka reports the records of a request
  // together.
  struct TooLarge {
    std::int64_t records = 0, bytes = 0;
    void Add(const rd_kafka_message_t& message) {
      ++records;
      bytes += static_cast<std::int64_t>(message.len + message.key_len);
    }
  };

  // The next functions run on the events thread.
  void Run();
  void Serve(Producer& producer, std::chrono::milliseconds timeout);
  void TakeReports(Producer& producer, rd_kafka_event_t* event);
  void LearnFrom(const TooLarge& refused);
  void TakeError(const Producer& producer, rd_kafka_event_t* event);
  void CarryOutReset(std::uint32_t epoch);
  void Collect(Producer& producer);
  [[nodiscard]] std::shared_ptr<Producer> MakeReplacement();
  void Probe(const Producer& producer);
  void TakeRefusal(const Producer& producer, rd_kafka_resp_err_t error, const std::string& text);
  void TakeConnectionError(const Producer& producer, rd_kafka_resp_err_t error, const std::string& text);
  void LoginWorked();
  // Logs problems with secrets: a secret could not be read again, or Kafka has refused a secret that has changed.
  void ReportSecrets();
  // Checks again whether brokers that had problems are available, and requests another producer if a new producer may
  // be allowed to produce or to log in.
  void AskAgain(const Producer& producer);
  [[nodiscard]] bool Stopping() const {
    const std::lock_guard lock(mutex_);
    return stop_;
  }

  [[nodiscard]] std::shared_ptr<Producer> CurrentProducer() const {
    const std::lock_guard lock(mutex_);
    return producer_;
  }

  const Settings settings_;
  const std::shared_ptr<ConnectGate> gate_;
  publisher::PublisherListener& listener_;
  const std::shared_ptr<spdlog::logger> logger_;
  BrokerState state_;
  ProducerDisposal disposal_;

  mutable std::mutex mutex_;
  std::shared_ptr<Producer> producer_;  // never null while the events thread runs
  std::optional<std::uint32_t> reset_;
  bool stop_ = false;

  // True from the failure of a record until the next Reset. Nothing is sent meanwhile, because a record that is sent
  // after the failed one would leave a gap in the stream.
  std::atomic<bool> broken_{false};
  // The size of the largest request that every topic accepts, in bytes.
  std::atomic<std::int64_t> max_batch_bytes_{kBatchBytes};

  TopicCache topic_cache_;
  TrialSender trials_{settings_, topic_cache_, disposal_, listener_, logger_};
  RecordRouter router_{topic_cache_, settings_.headers};  // [reader]
  LaneOrder lane_order_;                                  // [engine]
  BrokerTroubles troubles_{logger_};                      // [events]
  Logins logins_{settings_};                              // [events]
  TryGap write_gap_;        // [events] pauses between attempts to write while the user lacks permission
  bool only_lost_ = false;  // [events] true if the latest problem is a closed connection
  // [events] the time since which all brokers have been disconnected without a known problem; reset once a broker
  // answers or the cluster counts as unavailable
  std::optional<Clock::time_point> doubted_;
  std::string unreachable_;         // [events] the text about unreachable brokers that was reported last
  std::string all_down_;            // [events] librdkafka's text when all brokers were down
  bool asked_again_ = false;        // [events] true if another producer has been requested
  std::vector<Report> reports_;     // [events]
  Clock::time_point next_probe_{};  // [events]
  std::thread events_;
};

Status KafkaPublisher::Prepare(publisher::PreparedBatch& batch, Millis timeout) {
  if (state_.Is(Need::kWrites)) return {OUTBOX_UNAVAILABLE, state_.reason()};
  Status prepared = router_.Prepare(batch, Clock::now() + timeout);
  if (prepared.code() == OUTBOX_UNAVAILABLE) {
    const std::string trouble = state_.trouble();
    return trouble.empty() ? prepared : Status(OUTBOX_UNAVAILABLE, "Kafka does not answer: " + trouble);
  }
  if (const auto limit = static_cast<std::int64_t>(std::min<std::uint64_t>(topic_cache_.smallest_limit(), kBatchBytes));
      limit < max_batch_bytes_.load()) {
    // A request that is larger than its topic accepts is refused as a whole, however small its records are.
    max_batch_bytes_.store(limit);
    broken_.store(true);
    listener_.OnProducerOutdated("a topic accepts at most " + std::to_string(limit) +
                                 " bytes per request; making a producer that sends no more than that");
  }
  return prepared;
}

void KafkaPublisher::Publish(std::span<const publisher::Outgoing> given, std::uint32_t epoch) {
  if (publisher::IsTrial(epoch)) return trials_.Send(given, epoch);
  const std::shared_ptr<Producer> producer = CurrentProducer();
  const std::shared_ptr<const Lanes> lanes = topic_cache_.lanes();
  const std::span<const publisher::Outgoing> records = lane_order_.Of(given, lanes->targets.size());
  std::size_t done = 0;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  producer->outstanding.fetch_add(static_cast<std::int64_t>(records.size()), std::memory_order_relaxed);
  if (!broken_.load(std::memory_order_relaxed)) producer->used.store(true, std::memory_order_relaxed);
  for (; done < records.size() && !broken_.load(std::memory_order_relaxed); ++done) {
    const publisher::Outgoing& record = records[done];
    const auto [topic, partition] = lanes->targets[record.lane()];
    error = Produce(producer->handle(), producer->TopicOf(topic, lanes->topics[topic]), partition, record.Content(),
                    Pack(record.event, epoch));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    broken_.store(true);
    if (IsAboutTopic(error)) topic_cache_.Invalidate(lanes->topics[topic]);
    break;
  }
  if (done == records.size()) return;
  producer->outstanding.fetch_sub(static_cast<std::int64_t>(records.size() - done), std::memory_order_relaxed);
  // The record that failed is reported with its error, the records after it as unknown.
  std::vector<Report> reports;
  Outcome outcome = error == RD_KAFKA_RESP_ERR_NO_ERROR ? Outcome::kUnknown : OutcomeOf(error);
  for (const publisher::Outgoing& record : records.subspan(done)) {
    reports.push_back({record.event, epoch, outcome, error});
    outcome = Outcome::kUnknown;
  }
  listener_.OnReports(reports);
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
      const bool calm = state_.up() && troubles_.empty() && !doubted_;
      Serve(*producer, calm ? std::chrono::milliseconds(kIdleWait) : kProbeInterval);
      AskAgain(*producer);
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
    case RD_KAFKA_EVENT_STATS:
      // After permission to produce was refused, only a producer id shows that the user may produce now.
      if (HasProducerId(rd_kafka_event_stats(event.get()))) state_.Has(Need::kWrites);
      break;
    default:
      break;
  }
}

void KafkaPublisher::TakeReports(Producer& producer, rd_kafka_event_t* event) {
  reports_.clear();
  bool stored = false;
  TooLarge too_large;
  std::array<const rd_kafka_message_t*, 256> messages;
  while (const std::size_t count = rd_kafka_event_message_array(event, messages.data(), messages.size())) {
    for (const rd_kafka_message_t* message : std::span(messages.data(), count)) {
      Outcome outcome = Outcome::kUnknown;
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        outcome = OutcomeOf(message->err);
        if (IsAboutTopic(message->err)) topic_cache_.Invalidate(rd_kafka_topic_name(message->rkt));
        if (IsTooLarge(message->err)) too_large.Add(*message);
      } else if (message->offset >= 0) {
        // An acknowledgement without an offset means only that the library has concluded that the record must be
        // stored.
        outcome = Outcome::kAcknowledged;
      }
      if (outcome == Outcome::kAcknowledged) {
        stored = true;
        if (!troubles_.empty()) troubles_.Answered(rd_kafka_message_broker_id(message));
      } else {
        broken_.store(true);
      }
      reports_.push_back(Unpack(message->_private, outcome, message->err));
    }
  }
  producer.outstanding.fetch_sub(static_cast<std::int64_t>(reports_.size()), std::memory_order_relaxed);
  if (stored) {
    state_.Stored();
    topic_cache_.NoteStored();
    LoginWorked();
  }
  LearnFrom(too_large);
  if (!reports_.empty()) listener_.OnReports(reports_);
}

// Limits the size of requests after the broker has refused a request as too large. The broker does not report which
// size it accepts, and the user may lack permission to query it (DescribeConfigs), so the next producer tries half of
// the refused size. If the request had only one record, the limit stays: the trial of that record shows that it is too
// large.
void KafkaPublisher::LearnFrom(const TooLarge& refused) {
  if (refused.records < 2) return;
  const std::int64_t half = std::max(refused.bytes / 2, kSmallestBatch);
  if (half >= max_batch_bytes_.load()) return;
  max_batch_bytes_.store(half);
  util::LogWarning(
      *logger_,
      "Kafka refused a request of {} records with {} bytes as too large; the relay sends at most {} bytes at once "
      "from now on. Grant the relay's user DescribeConfigs on its topics, so that it can read max.message.bytes",
      refused.records, refused.bytes, half);
}

void KafkaPublisher::TakeError(const Producer& producer, rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  const std::string text = settings_.Clean(rd_kafka_event_error_string(event));
  if (rd_kafka_event_error_is_fatal(event) != 0) {
    if (producer.stopped()) return;  // StopSending has caused this error
    broken_.store(true);
    TakeRefusal(producer, error, text);
    listener_.OnProducerFailed(text);
    return;
  }
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
      TakeConnectionError(producer, error, text);
      break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: {
      const std::string_view servers = settings_.Servers();
      all_down_ = text + (servers.empty() ? std::string() : "; tried " + std::string(servers));
      if (only_lost_ && state_.up()) {
        if (!doubted_) doubted_ = Clock::now();
      } else {
        state_.Lacks(Need::kAnswers, all_down_);
      }
      break;
    }
    default:
      util::LogDebug(*logger_, "librdkafka: {}: {}", ErrorText(error), text);
  }
}

// Reacts to a fatal error of a producer. If the error came before the producer was given any record, the cause is not a
// record, and the next producer would be refused as well.
void KafkaPublisher::TakeRefusal(const Producer& producer, rd_kafka_resp_err_t error, const std::string& text) {
  const bool forbidden = error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
  if (!forbidden && producer.used.load(std::memory_order_relaxed)) return;
  if (!state_.Is(Need::kWrites)) {
    write_gap_.Begin();
    write_gap_.Tried(Clock::now());
  }
  state_.Lacks(Need::kWrites,
               forbidden ? std::string(kMayNotProduce) + "; " + std::string(kGrantToProduce) + ": " + text : text);
}

void KafkaPublisher::TakeConnectionError(const Producer& producer, rd_kafka_resp_err_t error, const std::string& text) {
  const ConnectionError explained = ExplainConnection(error, text, producer.certificates(), settings_.Servers());
  if (ConnectGate::Prevented(text)) return;
  const std::string why = Describe(explained);
  only_lost_ = explained.kind == ConnectionError::Kind::kLost;
  if (explained.kind == ConnectionError::Kind::kLogin) {
    logins_.Refused();
    gate_->Refused(explained.address, Clock::now());
    state_.Note(why);
    if (explained.broker < 0) state_.Lacks(Need::kAnswers, why);
    state_.Correct(why);
  } else {
    state_.Note(explained.kind == ConnectionError::Kind::kLost ? text : why);
  }
  if (explained.broker >= 0 && explained.kind != ConnectionError::Kind::kLost) troubles_.Take(explained);
}

void KafkaPublisher::LoginWorked() {
  // While one of several brokers refuses the login, a record that another broker stores does not show that the first
  // broker accepts the login.
  if (logins_.refused() && troubles_.empty()) gate_->LoginsWork();
  if (logins_.Worked()) util::LogInfo(*logger_, "Kafka: logged in with a secret that has changed");
}

void KafkaPublisher::ReportSecrets() {
  for (const std::string& problem : settings_.TakeSecretProblems())
    util::LogWarning(*logger_, "Kafka: {}; continuing with the secret that was read before", problem);
  if (logins_.TakeFallBack())
    util::LogWarning(*logger_,
                     "Kafka refused a secret that has changed; continuing with the secret that worked before");
}

void KafkaPublisher::AskAgain(const Producer& producer) {
  ReportSecrets();
  if (const auto all = troubles_.Check(producer))
    state_.Lacks(Need::kBrokers, *all);
  else if (state_.Is(Need::kBrokers))
    state_.Has(Need::kBrokers);
  if (std::string lasting = troubles_.Lasting(); lasting != unreachable_) {
    unreachable_ = std::move(lasting);
    listener_.OnBrokersUnreachable(unreachable_);
  }
  if ((!state_.up() || doubted_) && Clock::now() >= next_probe_) Probe(producer);
  if (doubted_ && Clock::now() - *doubted_ >= kReconnects) {
    doubted_.reset();
    state_.Lacks(Need::kAnswers, all_down_);
  }

  const bool writes = state_.Is(Need::kWrites) && broken_.load() && write_gap_.Due(Clock::now());
  if (asked_again_ || !(writes || logins_.WorthATry(state_.up()))) return;
  asked_again_ = true;
  broken_.store(true);
  listener_.OnProducerFailed(writes ? "checking again whether this user may produce"
                                    : "logging in again with the current secrets");
}

void KafkaPublisher::CarryOutReset(std::uint32_t epoch) {
  std::shared_ptr<Producer> old = CurrentProducer();
  Collect(*old);
  const bool all_in = old->outstanding.load() == 0;
  if (all_in && state_.Is(Need::kWrites) && !write_gap_.Due(Clock::now())) {
    // The user still lacks permission to produce, so another producer would be refused as well. Nothing can be sent
    // until the next attempt is due, so broken_ stays set.
    listener_.OnReset(epoch);
    return;
  }

  asked_again_ = false;
  std::shared_ptr<Producer> fresh = MakeReplacement();
  if (fresh == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    producer_ = fresh;
  }
  disposal_.Dispose(std::move(old));
  if (!all_in) {
    // One of librdkafka's broker threads may still read a record that has no report, so the payloads must stay until
    // that thread has ended.
    while (!disposal_.Wait(kPurgeAgain)) {
      if (Stopping()) return;
    }
  }
  // An answer to a metadata request makes librdkafka request its producer id at once instead of after half a second.
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
    // The purge is repeated because a record may be moving from one of the library's queues to another during a purge.
    producer.Purge();
    serve_until(Clock::now() + kPurgeAgain);
  }
}

std::shared_ptr<Producer> KafkaPublisher::MakeReplacement() {
  const bool watched = state_.Is(Need::kWrites);
  if (watched) write_gap_.Tried(Clock::now());
  for (;;) {
    Settings settings = settings_;
    settings.properties = logins_.Choose();
    ReportSecrets();
    auto made = Producer::Make(settings, max_batch_bytes_.load(), logger_, gate_, watched);
    if (made.ok()) return *made;
    // A producer was made from the same configuration before, so the cause is a shortage of resources on this machine
    // (descriptors, memory), or a certificate or secret that is being replaced.
    logins_.Refused();
    state_.Note(made.status().text());
    state_.Lacks(Need::kAnswers, made.status().text());
    for (const auto end = Clock::now() + 1s; Clock::now() < end;) {
      if (Stopping()) return nullptr;
      std::this_thread::sleep_for(20ms);
    }
  }
}

void KafkaPublisher::Probe(const Producer& producer) {
  const rd_kafka_metadata_t* raw = nullptr;
  // The request names one topic, if the producer knows any. A request for all topics that the producer knows would
  // allow the broker to create them.
  const auto error = rd_kafka_metadata(producer.handle(), 0, producer.AnyTopic(), &raw, kProbeTimeout / 1ms);
  const MetadataPtr answer(raw);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    doubted_.reset();
    state_.Has(Need::kAnswers);
    if (troubles_.empty()) LoginWorked();
  }
  next_probe_ = Clock::now() + kProbeInterval;
}

}  // namespace

Result<std::unique_ptr<publisher::Publisher>> MakeKafkaPublisher(Settings settings,
                                                                 publisher::PublisherListener& listener,
                                                                 std::shared_ptr<spdlog::logger> logger) {
  settings.properties = settings.Now();
  auto gate = std::make_shared<ConnectGate>(settings);
  auto producer = Producer::Make(settings, kBatchBytes, logger, gate);
  if (!producer.ok()) return producer.status();
  return std::unique_ptr<publisher::Publisher>(std::make_unique<KafkaPublisher>(
      std::move(settings), std::move(gate), std::move(*producer), listener, std::move(logger)));
}

publisher::PublisherFactory MakeKafkaPublishers(const config::Config& config, std::shared_ptr<spdlog::logger> logger) {
  return [settings = ToSettings(config), logger = std::move(logger)](publisher::PublisherListener& listener) {
    return MakeKafkaPublisher(settings, listener, logger);
  };
}

}  // namespace outbox::kafka
