// Implements the functions of <threads.h> that librdkafka calls by means of POSIX threads, because ThreadSanitizer
// intercepts only the POSIX functions. ThreadSanitizer does not notice a thread that glibc's own thrd_create() starts,
// and crashes in such a thread. In glibc the types of both interfaces are the same.
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

static int Code(int error) { return error == 0 ? thrd_success : error == ETIMEDOUT ? thrd_timedout : thrd_error; }

static pthread_mutex_t* Mutex(mtx_t* mutex) { return (pthread_mutex_t*)mutex; }
static pthread_cond_t* Condition(cnd_t* condition) { return (pthread_cond_t*)condition; }

int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  if ((type & mtx_recursive) != 0) pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
  return Code(pthread_mutex_init(Mutex(mutex), &kind));
}
int mtx_lock(mtx_t* mutex) { return Code(pthread_mutex_lock(Mutex(mutex))); }
int mtx_unlock(mtx_t* mutex) { return Code(pthread_mutex_unlock(Mutex(mutex))); }
void mtx_destroy(mtx_t* mutex) { pthread_mutex_destroy(Mutex(mutex)); }

int cnd_init(cnd_t* condition) { return Code(pthread_cond_init(Condition(condition), NULL)); }
int cnd_signal(cnd_t* condition) { return Code(pthread_cond_signal(Condition(condition))); }
int cnd_broadcast(cnd_t* condition) { return Code(pthread_cond_broadcast(Condition(condition))); }
int cnd_wait(cnd_t* condition, mtx_t* mutex) { return Code(pthread_cond_wait(Condition(condition), Mutex(mutex))); }
int cnd_timedwait(cnd_t* restrict condition, mtx_t* restrict mutex, const struct timespec* restrict until) {
  return Code(pthread_cond_timedwait(Condition(condition), Mutex(mutex), until));
}
void cnd_destroy(cnd_t* condition) { pthread_cond_destroy(Condition(condition)); }

void call_once(once_flag* flag, void (*run)(void)) { pthread_once((pthread_once_t*)flag, run); }

struct Start {
  thrd_start_t run;
  void* argument;
};

static void* Run(void* start) {
  const struct Start it = *(struct Start*)start;
  free(start);
  return (void*)(intptr_t)it.run(it.argument);
}

int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  struct Start* const start = malloc(sizeof *start);
  if (start == NULL) return thrd_nomem;
  *start = (struct Start){run, argument};
  const int error = pthread_create(thread, NULL, Run, start);
  if (error != 0) free(start);
  return Code(error);
}

int thrd_join(thrd_t thread, int* result) {
  void* returned = NULL;
  const int error = pthread_join(thread, &returned);
  if (result != NULL) *result = (int)(intptr_t)returned;
  return Code(error);
}
