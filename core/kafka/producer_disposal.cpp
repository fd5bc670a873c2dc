#include "kafka/producer_disposal.hpp"

#include <system_error>

#include "util/thread.hpp"

namespace outbox::kafka {

using namespace std::chrono_literals;

void ProducerDisposal::Dispose(std::shared_ptr<Producer> producer) {
  if (producer == nullptr) return;
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->open;
  }
  auto dispose = [state = state_, producer = std::move(producer)]() mutable {
    // Another thread may still be querying the broker through this producer for some moments. The destructor must not
    // run on that thread.
    while (producer.use_count() > 1) std::this_thread::sleep_for(5ms);
    producer.reset();
    const std::lock_guard lock(state->mutex);
    --state->open;
    state->changed.notify_all();
  };
  try {
    util::StartThread("kafka-disposal", dispose).detach();
  } catch (const std::system_error&) {
    dispose();  // no thread could be started, so the caller has to wait
  }
}

bool ProducerDisposal::Wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, timeout, [this] { return state_->open == 0; });
}

}  // namespace outbox::kafka
