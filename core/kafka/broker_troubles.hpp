// Single brokers that cannot be reached where they advertise that they are, or that refuse our certificate or password.
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

// Logs each once when it has lasted, and once when it is over. Thread: events
class BrokerTroubles {
 public:
  explicit BrokerTroubles(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

  // REQUIRES: error.broker >= 0.
  void Take(const ConnectionError& error);
  // The broker has stored a record.
  void Answered(std::int32_t broker);
  // Asks those that have trouble, now and then. The reason, where no broker is without trouble that lasts.
  // Blocks for two short questions.
  [[nodiscard]] std::optional<std::string> Check(const Producer& producer);
  // What was logged and is not over, in one text.
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
  // Forgets brokers that are gone or advertise another address. False: no answer.
  bool Compare(const Producer& producer);

  const std::shared_ptr<spdlog::logger> logger_;
  std::map<std::int32_t, Trouble> troubles_;
  std::size_t brokers_ = 1;
  Clock::time_point next_check_{};
  std::optional<std::string> all_;
};

}  // namespace outbox::kafka
