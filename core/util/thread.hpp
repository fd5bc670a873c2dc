// Starts threads with a name, which ps and gdb show, and with every signal blocked, so that SIGTERM reaches the thread
// that waits for it and writing to a closed pipe fails with EPIPE.
#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace outbox::util {

// Starts a thread that calls `run`. REQUIRES: `name` has at most 15 characters.
template <class F>
[[nodiscard]] std::thread StartThread(const char* name, F run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // The new thread inherits this mask, so that at no moment can a signal be delivered to it.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([name, run = std::move(run)]() mutable {
    pthread_setname_np(pthread_self(), name);
    run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace outbox::util
