#include "kafka/producer.hpp"

namespace outbox::kafka {

Result<std::shared_ptr<Producer>> Producer::Make(const Settings& settings, std::int64_t max_batch_bytes,
                                                 std::shared_ptr<spdlog::logger> logger,
                                                 std::shared_ptr<ConnectGate> gate, bool watched) {
  Result<ConfPtr> conf = MakeProducerConf(settings, max_batch_bytes);
  if (!conf.ok()) return Status(conf.status().code(), settings.Clean(conf.status().text()));
  return MakeFrom(settings, std::move(*conf), max_batch_bytes, std::move(logger), std::move(gate), watched);
}

Result<std::shared_ptr<Producer>> Producer::MakeForTrials(const Settings& settings,
                                                          std::shared_ptr<spdlog::logger> logger,
                                                          std::shared_ptr<ConnectGate> gate) {
  Result<ConfPtr> conf = MakeTrialConf(settings);
  if (!conf.ok()) return Status(conf.status().code(), settings.Clean(conf.status().text()));
  return MakeFrom(settings, std::move(*conf), 0, std::move(logger), std::move(gate), false);
}

Result<std::shared_ptr<Producer>> Producer::MakeFrom(const Settings& settings, ConfPtr conf,
                                                     std::int64_t max_batch_bytes,
                                                     std::shared_ptr<spdlog::logger> logger,
                                                     std::shared_ptr<ConnectGate> gate, bool watched) {
  const std::shared_ptr<Producer> producer(
      new Producer(max_batch_bytes, std::move(logger), settings.clean, std::move(gate)));
  rd_kafka_conf_set_opaque(conf.get(), &producer->voice_);
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t* handle, int level, const char* facility, const char* text) {
    const Voice& voice = *static_cast<Voice*>(rd_kafka_opaque(handle));
    Log(*voice.logger, level, facility, voice.clean ? voice.clean(text).c_str() : text);
  });
  WatchCertificates<Troubles>(conf.get());
  if (producer->voice_.gate != nullptr) {
    producer->voice_.gate->Open();
    rd_kafka_conf_set_connect_cb(conf.get(),
                                 [](int socket, const sockaddr* where, int size, const char* address, void* voice) {
                                   return static_cast<Voice*>(voice)->gate->Connect(socket, where, size, address);
                                 });
  }
  if (watched) (void)rd_kafka_conf_set(conf.get(), "statistics.interval.ms", "500", nullptr, 0);
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | (watched ? RD_KAFKA_EVENT_STATS : 0));

  Result<HandlePtr> handle = MakeHandle(RD_KAFKA_PRODUCER, std::move(conf));
  if (!handle.ok()) return Status(handle.status().code(), settings.Clean(handle.status().text()));
  producer->handle_ = std::move(*handle);
  producer->queue_.reset(rd_kafka_queue_get_main(producer->handle()));
  return producer;
}

rd_kafka_topic_t* Producer::TopicOf(std::size_t index, const std::string& name) {
  if (index >= topics_.size()) topics_.resize(index + 1);
  if (topics_[index] == nullptr) {
    topics_[index].reset(rd_kafka_topic_new(handle(), name.c_str(), nullptr));
    any_topic_.store(topics_[index].get());
  }
  return topics_[index].get();
}

void Producer::KeepTopic(const std::string& name, TopicPtr topic) {
  const std::lock_guard lock(kept_mutex_);
  kept_.insert_or_assign(name, std::move(topic));
}

EventPtr Producer::NextEvent(std::chrono::milliseconds timeout) {
  return EventPtr(rd_kafka_queue_poll(queue_.get(), static_cast<int>(timeout.count())));
}

void Producer::StopSending() {
  stopped_.store(true, std::memory_order_relaxed);
  // Raises a fatal error, because every broker thread of librdkafka checks for a fatal error before it makes a request.
  // No other function of the library stops sending without giving up the answers to sent requests.
  // rd_kafka_test_fatal_error is meant for tests, but it is public and has been stable since version 1.0 of librdkafka.
  rd_kafka_test_fatal_error(handle(), RD_KAFKA_RESP_ERR__STATE, "reset by the relay");
}

void Producer::Purge() {
  // A blocking purge would wait for broker threads, one of which may be waiting for a name server that does not answer.
  rd_kafka_purge(handle(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

}  // namespace outbox::kafka
