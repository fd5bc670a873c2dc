// A group consumer for what the relay sends: handlers by event type, in order per partition, and an offset is committed
// only when everything before it was handled.
//
//   consumer::Consumer billing(settings);
//   billing.On("OrderPlaced", [&](const consumer::Record& record) { ...; return consumer::Outcome::Ok(); });
//   billing.Start();
//   billing.Wait();
//
// A record is handed over at least once: again after a crash, and when the relay sent it twice. outbox/inbox/ makes its
// effect in a database happen once.
//
// Link with outbox-consumer (pkg-config).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "consumer/record.hpp"
#include "consumer/settings.hpp"

namespace outbox::consumer {

// What a handler throws counts as Retry, with the pauses of Settings::retry_backoff.
using Handler = std::function<Outcome(const Record&)>;

// The answer is for all of them. After Retry the same records come again, perhaps others behind them in a later call.
// After Reject, or when it threw, they come again one by one, so that one bad record is found.
using BatchHandler = std::function<Outcome(std::span<const Record>)>;

// [any thread], except that On and OnBatch go before Start.
class Consumer {
 public:
  // Throws std::invalid_argument where the settings cannot be.
  explicit Consumer(Settings settings);
  ~Consumer();  // as Stop
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Throw std::logic_error for a type that has a handler, and after Start.
  void On(std::string event_type, Handler handler);
  void OnBatch(std::vector<std::string> event_types, BatchHandler handler);

  // Joins the group and returns; Kafka need not be there yet. After Stop it starts anew. Throws std::logic_error while it
  // runs, std::invalid_argument for a Kafka property that librdkafka refuses.
  void Start();

  // No further record is handed over, handlers that run are waited for, what was handled is committed, the group is
  // left. A second call does nothing. Throws std::logic_error inside a handler, setup or cleanup.
  void Stop();
  // The same without waiting; good inside a handler, and in a thread that waits for signals.
  void RequestStop();

  // Until it has stopped, for whatever reason. True = it was asked to; false = failure() says why.
  bool Wait();
  [[nodiscard]] bool running() const;
  [[nodiscard]] std::optional<std::string> failure() const;  // of the last run
  [[nodiscard]] Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outbox::consumer
