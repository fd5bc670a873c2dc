// What other threads want a worker thread to do, in the order of asking.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "runtime/clock.hpp"

namespace outbox::runtime {

class Mailbox {
 public:
  using Task = std::function<void()>;

  void Post(Task task) {  // any thread
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    filled_.notify_one();
  }

  // The worker: all tasks posted so far, none if there are none until `deadline` on the shell's clock.
  void Take(std::vector<Task>& tasks, engine::Time deadline) {
    tasks.clear();
    std::unique_lock lock(mutex_);
    if (deadline >= engine::kForever) {
      filled_.wait(lock, [this] { return !tasks_.empty(); });
    } else {
      filled_.wait_for(lock, std::chrono::microseconds(std::max<engine::Time>(0, deadline - Now())),
                       [this] { return !tasks_.empty(); });
    }
    tasks.swap(tasks_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<Task> tasks_;
};

}  // namespace outbox::runtime
