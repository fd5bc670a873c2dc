// A queue of tasks that other threads post to one worker thread. The tasks keep the order in which they were posted.
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

  // Adds a task to the queue. Thread: any.
  void Post(Task task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    filled_.notify_one();
  }

  // Waits for a task, at most until `deadline`, a time of runtime::Now(). Sets `tasks` to all tasks that were posted so
  // far; `tasks` is empty if the deadline has passed. Thread: the worker.
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
