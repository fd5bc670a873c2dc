#include "kafka/producer.hpp"

namespace outbox::kafka {

Result<std::shared_ptr<Producer>> Producer::Make(const Settings& settings, std::int64_t max_batch_bytes,
                                                 std::shared_ptr<spdlog::logger> logger) {
  Result<ConfPtr> conf = MakeProducerConf(settings, max_batch_bytes);
  if (!conf.ok()) return conf.status();

  const std::shared_ptr<Producer> producer(new Producer(max_batch_bytes, std::move(logger)));
  rd_kafka_conf_set_opaque(conf->get(), producer->logger_.get());
  rd_kafka_conf_set_log_cb(conf->get(),
                           [](const rd_kafka_t* handle, int level, const char* facility, const char* text) {
                             Log(*static_cast<spdlog::logger*>(rd_kafka_opaque(handle)), level, facility, text);
                           });
  rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);

  Result<HandlePtr> handle = MakeHandle(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!handle.ok()) return handle.status();
  producer->handle_ = std::move(*handle);
  producer->queue_.reset(rd_kafka_queue_get_main(producer->handle()));
  return producer;
}

rd_kafka_topic_t* Producer::TopicOf(std::size_t index, const std::string& name) {
  if (index >= topics_.size()) topics_.resize(index + 1);
  if (topics_[index] == nullptr) topics_[index].reset(rd_kafka_topic_new(handle(), name.c_str(), nullptr));
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
  // Every broker thread asks for a fatal error before it makes a request, and nothing else in the library stops
  // sending without giving up the answers to what was sent. Meant for tests, public and stable since 1.0.
  rd_kafka_test_fatal_error(handle(), RD_KAFKA_RESP_ERR__STATE, "reset by the relay");
}

void Producer::Purge() {
  // Blocking, it would wait for broker threads, one of which may be asking a name server that is gone.
  rd_kafka_purge(handle(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

}  // namespace outbox::kafka
