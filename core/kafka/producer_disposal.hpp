// Destroys each producer on a separate thread, so that no other thread has to wait for the end of librdkafka's threads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "kafka/producer.hpp"

namespace outbox::kafka {

// rd_kafka_destroy joins librdkafka's broker threads. The join usually takes milliseconds, but if a name server does
// not answer, it takes as long as the lookup, which is too long for a stop within shutdown_timeout. So the threads that
// destroy producers are detached, and may outlive this object.
// Owned by KafkaPublisher. Thread: any
class ProducerDisposal {
 public:
  // Destroys the producer on a separate thread, once no other thread uses the producer any more.
  void Dispose(std::shared_ptr<Producer> producer);

  // Waits until all producers that were given to Dispose are destroyed. Returns false if that takes longer than
  // `timeout`.
  [[nodiscard]] bool Wait(std::chrono::milliseconds timeout);

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    int open = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace outbox::kafka
