// Destroys producers away from the threads that have work to do.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "kafka/producer.hpp"

namespace outbox::kafka {

// rd_kafka_destroy joins broker threads. That takes milliseconds, or as long as a name server does not answer: too
// long for a stop within shutdown_timeout, so the threads that wait for it are detached and may outlive this.
class ProducerDisposal {
 public:
  // [any] The producer is destroyed on a thread of its own, once nobody else uses it any more.
  void Dispose(std::shared_ptr<Producer> producer);

  // True when all that was buried is destroyed.
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
