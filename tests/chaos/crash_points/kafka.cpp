// Interposes the functions of librdkafka that core/kafka calls, and the system calls by which a relay receives the
// signal to stop.
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>

#include "points.hpp"
#include "real.hpp"

using namespace outbox::crash_points;  // NOLINT(google-build-using-namespace)

namespace {

constexpr const char* kLibrdkafka = "librdkafka.so.1";

std::atomic<bool> stopping{false};
std::atomic<bool> resetting{false};
std::atomic<int> signals{-1};

struct Record {
  rd_kafka_topic_t* topic = nullptr;
  int partition = RD_KAFKA_PARTITION_UA;
  void *key = nullptr, *value = nullptr, *opaque = nullptr;
  std::size_t key_size = 0, value_size = 0;
  std::int64_t timestamp = 0;
  rd_kafka_headers_t* headers = nullptr;
};

// Reads the arguments of rd_kafka_producev into `record`. Returns false if there is an argument that the relay does not
// use.
bool Take(va_list arguments, Record& record) {
  for (;;) {
    switch (va_arg(arguments, int)) {
      case RD_KAFKA_VTYPE_END:
        return true;
      case RD_KAFKA_VTYPE_RKT:
        record.topic = va_arg(arguments, rd_kafka_topic_t*);
        break;
      case RD_KAFKA_VTYPE_PARTITION:
        record.partition = va_arg(arguments, int);
        break;
      case RD_KAFKA_VTYPE_KEY:
        record.key = va_arg(arguments, void*);
        record.key_size = va_arg(arguments, std::size_t);
        break;
      case RD_KAFKA_VTYPE_VALUE:
        record.value = va_arg(arguments, void*);
        record.value_size = va_arg(arguments, std::size_t);
        break;
      case RD_KAFKA_VTYPE_TIMESTAMP:
        record.timestamp = va_arg(arguments, std::int64_t);
        break;
      case RD_KAFKA_VTYPE_HEADERS:
        record.headers = va_arg(arguments, rd_kafka_headers_t*);
        break;
      case RD_KAFKA_VTYPE_OPAQUE:
        record.opaque = va_arg(arguments, void*);
        break;
      default:
        return false;
    }
  }
}

}  // namespace

extern "C" {

rd_kafka_resp_err_t rd_kafka_producev(rd_kafka_t* handle, ...) {
  REAL(kLibrdkafka, rd_kafka_producev);
  Record r;
  va_list arguments;
  va_start(arguments, handle);
  const bool known = Take(arguments, r);
  va_end(arguments);
  if (!known) return RD_KAFKA_RESP_ERR__INVALID_ARG;
  Pass("produce.before");
  const auto error =
      real(handle, RD_KAFKA_V_RKT(r.topic), RD_KAFKA_V_PARTITION(r.partition), RD_KAFKA_V_KEY(r.key, r.key_size),
           RD_KAFKA_V_VALUE(r.value, r.value_size), RD_KAFKA_V_TIMESTAMP(r.timestamp), RD_KAFKA_V_HEADERS(r.headers),
           RD_KAFKA_V_OPAQUE(r.opaque), RD_KAFKA_V_END);
  Pass("produce.queued");
  return error;
}

rd_kafka_event_t* rd_kafka_queue_poll(rd_kafka_queue_t* queue, int timeout) {
  REAL(kLibrdkafka, rd_kafka_queue_poll);
  static const auto type = Real<decltype(&rd_kafka_event_type)>(kLibrdkafka, "rd_kafka_event_type");
  rd_kafka_event_t* const event = real(queue, timeout);
  if (type(event) == RD_KAFKA_EVENT_DR) Pass("report.before");
  return event;
}

void rd_kafka_event_destroy(rd_kafka_event_t* event) {
  REAL(kLibrdkafka, rd_kafka_event_destroy);
  static const auto type = Real<decltype(&rd_kafka_event_type)>(kLibrdkafka, "rd_kafka_event_type");
  if (type(event) == RD_KAFKA_EVENT_DR) Pass("report.after");
  real(event);
}

rd_kafka_resp_err_t rd_kafka_test_fatal_error(rd_kafka_t* handle, rd_kafka_resp_err_t error, const char* reason) {
  REAL(kLibrdkafka, rd_kafka_test_fatal_error);
  const auto done = real(handle, error, reason);
  if (stopping) return done;
  resetting = true;
  Pass("reset.begun");
  return done;
}

rd_kafka_resp_err_t rd_kafka_purge(rd_kafka_t* handle, int what) {
  REAL(kLibrdkafka, rd_kafka_purge);
  const auto error = real(handle, what);
  if (stopping) Pass("stop.purged");
  return error;
}

rd_kafka_t* rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t* conf, char* text, size_t size) {
  REAL(kLibrdkafka, rd_kafka_new);
  rd_kafka_t* const handle = real(type, conf, text, size);
  if (resetting) Pass("reset.made");
  return handle;
}

void rd_kafka_destroy(rd_kafka_t* handle) {
  REAL(kLibrdkafka, rd_kafka_destroy);
  real(handle);
  if (stopping)
    Pass("stop.destroyed");
  else if (resetting)
    Pass("reset.destroyed");
}

// Stores the descriptor from which the relay reads signals. The relay has only one such descriptor.
int signalfd(int descriptor, const sigset_t* set, int flags) noexcept(noexcept(::signalfd(descriptor, set, flags))) {
  static const auto real = reinterpret_cast<int (*)(int, const sigset_t*, int)>(dlsym(RTLD_NEXT, "signalfd"));
  return signals = real(descriptor, set, flags);
}

ssize_t read(int descriptor, void* bytes, size_t size) {
  static const auto real = reinterpret_cast<ssize_t (*)(int, void*, size_t)>(dlsym(RTLD_NEXT, "read"));
  const ssize_t have = real(descriptor, bytes, size);
  if (descriptor == signals && have == static_cast<ssize_t>(sizeof(signalfd_siginfo)) &&
      static_cast<const signalfd_siginfo*>(bytes)->ssi_signo == SIGTERM) {
    stopping = true;
    Pass("stop.signalled");
  }
  return have;
}
}
