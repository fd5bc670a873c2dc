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
    // Prepare may be asking the broker through it for some moments more; it must not be left to destroy it.
    while (producer.use_count() > 1) std::this_thread::sleep_for(5ms);
    producer.reset();
    const std::lock_guard lock(state->mutex);
    --state->open;
    state->changed.notify_all();
  };
  try {
    util::StartThread("kafka-disposal", dispose).detach();
  } catch (const std::system_error&) {
    dispose();  // no thread can be had: it is waited for here
  }
}

bool ProducerDisposal::Wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, timeout, [this] { return state_->open == 0; });
}

}  // namespace outbox::kafka
