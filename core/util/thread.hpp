// A thread of a publisher: named for ps and gdb, and with every signal blocked, so that SIGTERM reaches the thread
// that waits for it and a closed pipe is EPIPE.
#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace outbox::util {

// `name`: at most 15 characters.
template <class F>
[[nodiscard]] std::thread StartThread(const char* name, F run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // Inherited, so that there is no moment in which the new thread could be chosen.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([name, run = std::move(run)]() mutable {
    pthread_setname_np(pthread_self(), name);
    run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace outbox::util
