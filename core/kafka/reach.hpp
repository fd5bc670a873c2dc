// Whether brokers can be reached at the addresses that they advertise, and why not.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/certificates.hpp"
#include "kafka/rdkafka.hpp"

namespace outbox::kafka {

// What an error event of librdkafka says of a connection.
struct ConnectionError {
  enum class Kind : std::uint8_t {
    kLost,         // a connection that had worked
    kUnreachable,  // the address does not resolve, refuses or does not answer
    kLogin,        // the other side was reached; its certificate or our credentials are refused
  };
  Kind kind = Kind::kLost;
  std::string name;          // "ssl://kafka:9093/1", as librdkafka names the broker
  std::string address;       // "kafka:9093"
  std::int32_t broker = -1;  // -1 = one of bootstrap.servers
  bool configured = false;  // bootstrap.servers names the address, so that no broker's advertised.listeners is to blame
  std::string why;          // one sentence, with what to do
};
// `servers` is the value of bootstrap.servers.
[[nodiscard]] ConnectionError ExplainConnection(rd_kafka_resp_err_t error, const std::string& text,
                                                const CertificateTroubles& certificates, std::string_view servers);

// True if one of `servers`, a list as in bootstrap.servers, is `address`, host and port as librdkafka writes them.
[[nodiscard]] bool NamesAddress(std::string_view servers, std::string_view address);

// "broker 1 advertises kafka:9092 ..."
[[nodiscard]] std::string Describe(const ConnectionError& error);

// Those of `brokers` that answer within `timeout`, each asked by itself. An answer that refuses is one.
[[nodiscard]] std::set<std::int32_t> Reach(rd_kafka_t* handle, const std::vector<std::int32_t>& brokers,
                                           std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
