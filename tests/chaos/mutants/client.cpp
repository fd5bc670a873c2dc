// A library that is preloaded into a relay and falsifies what the relay and librdkafka pass to each other.
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>

#include "mutant.hpp"

using outbox::chaos::Is;

namespace {

const char* Spoiled(std::string_view name, const char* value) {
  // librdkafka refuses enable.gapless.guarantee without idempotence, so both settings are changed.
  const bool ours = name == "enable.idempotence" || name == "enable.gapless.guarantee";
  return ours && Is("not-idempotent") ? "false" : value;
}

template <class Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

rd_kafka_conf_res_t rd_kafka_conf_set(rd_kafka_conf_t* conf, const char* name, const char* value, char* text,
                                      std::size_t size) {
  static const auto real = Real<decltype(&rd_kafka_conf_set)>("rd_kafka_conf_set");
  return real(conf, name, Spoiled(name, value), text, size);
}

std::size_t rd_kafka_event_message_array(rd_kafka_event_t* event, const rd_kafka_message_t** messages,
                                         std::size_t room) {
  static const auto real = Real<decltype(&rd_kafka_event_message_array)>("rd_kafka_event_message_array");
  const std::size_t count = real(event, messages, room);
  if (!Is("every-report-is-good")) return count;
  for (std::size_t i = 0; i < count; ++i) {
    auto* const message = const_cast<rd_kafka_message_t*>(messages[i]);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    message->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    message->offset = 0;
  }
  return count;
}
}
