#include "handle.hpp"

#include <array>
#include <stdexcept>

namespace outbox::consumer {
namespace {

Client& ClientOf(void* opaque) { return *static_cast<Client*>(opaque); }

LogLevel LevelOf(int syslog) {
  return syslog <= 3   ? LogLevel::kError
         : syslog == 4 ? LogLevel::kWarning
         : syslog <= 6 ? LogLevel::kInfo
                       : LogLevel::kDebug;
}

}  // namespace

HandlePtr MakeHandle(rd_kafka_type_t type, const Properties& properties, Client& client) {
  ConfPtr conf(rd_kafka_conf_new());
  std::array<char, 512> text{};
  for (const auto& [name, value] : properties) {
    const auto set = rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text.data(), text.size());
    if (set == RD_KAFKA_CONF_UNKNOWN) throw std::invalid_argument("librdkafka knows no property " + name);
    if (set != RD_KAFKA_CONF_OK) throw std::invalid_argument("librdkafka refuses the value of the property " + name);
  }
  rd_kafka_conf_set_opaque(conf.get(), &client);
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t* handle, int level, const char*, const char* line) {
    if (handle != nullptr) ClientOf(rd_kafka_opaque(handle)).Log(LevelOf(level), line);
  });
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int, const char* reason, void* opaque) {
    ClientOf(opaque).Log(LogLevel::kWarning, reason);
  });
  if (type == RD_KAFKA_CONSUMER) {
    rd_kafka_conf_set_rebalance_cb(
        conf.get(), [](rd_kafka_t* handle, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* partitions,
                       void* opaque) { ClientOf(opaque).Rebalance(handle, what, partitions); });
  } else {
    rd_kafka_conf_set_dr_msg_cb(conf.get(), [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
      ClientOf(opaque).Delivered(message);
    });
  }
  HandlePtr handle(rd_kafka_new(type, conf.get(), text.data(), text.size()));
  if (!handle) throw std::invalid_argument(std::string("librdkafka: ") + text.data());
  (void)conf.release();  // Since rd_kafka_new() succeeded, the handle owns it.
  return handle;
}

}  // namespace outbox::consumer
