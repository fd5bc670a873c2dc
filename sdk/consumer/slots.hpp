// So many handlers at once, and which of the places each has.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

namespace outbox::consumer {

// [any]
class Slots {
 public:
  explicit Slots(std::size_t count) {
    for (std::size_t i = count; i > 0; --i) free_.push_back(i - 1);
  }

  std::size_t Take() {
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [&] { return !free_.empty(); });
    const std::size_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void GiveBack(std::size_t slot) {
    {
      const std::scoped_lock lock(mutex_);
      free_.push_back(slot);
    }
    given_back_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<std::size_t> free_;
};

}  // namespace outbox::consumer
