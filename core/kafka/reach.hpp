// Finds out whether brokers can be reached at the addresses that they advertise, and the reason if they cannot.
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

// The interpretation of a librdkafka error event that concerns a connection.
struct ConnectionError {
  enum class Kind : std::uint8_t {
    kLost,         // a connection that had worked was lost
    kUnreachable,  // the address does not resolve, refuses or closes connections, or does not answer
    kLogin,        // the broker answers, but its certificate or the relay's credentials were refused
  };
  Kind kind = Kind::kLost;
  std::string name;          // "ssl://kafka:9093/1", as librdkafka names the broker
  std::string address;       // such as "kafka:9093"
  std::int32_t broker = -1;  // the id of the broker; -1 = an address from bootstrap.servers
  // true if bootstrap.servers names the address, so that no broker's advertised.listeners is to blame
  bool configured = false;
  std::string why;  // the reason in one sentence, with the fix
};
// Explains an error event. `servers` is the value of bootstrap.servers.
[[nodiscard]] ConnectionError ExplainConnection(rd_kafka_resp_err_t error, const std::string& text,
                                                const CertificateTroubles& certificates, std::string_view servers);

// True if `servers`, a list as in bootstrap.servers, contains `address`, which is host and port as librdkafka writes
// them.
[[nodiscard]] bool NamesAddress(std::string_view servers, std::string_view address);

// Returns a sentence with the fix, such as "broker 1 advertises kafka:9092 ...".
[[nodiscard]] std::string Describe(const ConnectionError& error);

// Sends a query directly to each of `brokers`, which are broker ids. Returns the ids of the brokers that answer within
// `timeout`. A refusal counts as an answer.
[[nodiscard]] std::set<std::int32_t> Reach(rd_kafka_t* handle, const std::vector<std::int32_t>& brokers,
                                           std::chrono::milliseconds timeout);

}  // namespace outbox::kafka
