// Tracks individual brokers that cannot be reached at the addresses that they advertise, or that do not complete a
// login.
#pragma once

#include <spdlog/fwd.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "kafka/producer.hpp"
#include "kafka/reach.hpp"

namespace outbox::kafka {

// Logs the problem of a broker once after it has lasted for some seconds, and logs once that the problem is over.
// Owned by KafkaPublisher. Thread: events
class BrokerTroubles {
 public:
  explicit BrokerTroubles(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

  // Adds or updates the problem of a broker. REQUIRES: error.broker >= 0.
  void Take(const ConnectionError& error);
  // Notes that the broker has answered, for example by acknowledging a record.
  void Answered(std::int32_t broker);
  // Queries the brokers that have problems, but only at intervals of some seconds. Returns the reason if every broker
  // has a lasting problem, otherwise nothing. Blocks for at most the time of two short requests.
  [[nodiscard]] std::optional<std::string> Check(const Producer& producer);
  // Returns, in one text, the problems that were logged and are not over.
  [[nodiscard]] std::string Lasting() const;
  [[nodiscard]] bool empty() const { return troubles_.empty(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Trouble {
    ConnectionError error;
    Clock::time_point since;
    bool logged = false;
  };
  void End(std::map<std::int32_t, Trouble>::iterator trouble);
  // Forgets the problems of brokers that have left the cluster or advertise another address. Returns false if no broker
  // answers the query for metadata.
  bool Compare(const Producer& producer);

  const std::shared_ptr<spdlog::logger> logger_;
  std::map<std::int32_t, Trouble> troubles_;
  std::size_t brokers_ = 1;
  Clock::time_point next_check_{};
  std::optional<std::string> all_;
};

}  // namespace outbox::kafka
