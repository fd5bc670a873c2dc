// Limits how many handlers run at once, and gives each of them an index.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

namespace outbox::consumer {

// A fixed number of slots, numbered from 0. The threads of the partitions share them. Thread: any.
class Slots {
 public:
  explicit Slots(std::size_t count) {
    for (std::size_t i = count; i > 0; --i) free_.push_back(i - 1);
  }

  // Waits until a slot is free, takes it and returns its number.
  std::size_t Take() {
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [&] { return !free_.empty(); });
    const std::size_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  // Frees a slot that Take() has returned.
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
