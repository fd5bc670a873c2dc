// A group consumer for the events that the relay sends. It calls a handler for each event type, keeps the order of each
// partition, and commits an offset only after all records before it were handled.
//
//   consumer::Consumer billing(settings);
//   billing.On("OrderPlaced", [&](const consumer::Record& record) { ...; return consumer::Outcome::Ok(); });
//   billing.Start();
//   billing.Wait();
//
// A record is passed to its handler at least once: a second time after a crash, or if the relay has sent it twice. With
// outbox/inbox/ the event still has its effect in a database only once.
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

// Handles one record. A handler that throws counts as if it had returned Retry, with a pause that begins at
// Settings::retry_backoff and doubles with each attempt. Thread: one of the consumer's threads, see
// Settings::concurrency.
using Handler = std::function<Outcome(const Record&)>;

// Handles several records of one partition; its outcome applies to all of them. After Retry it is called again with the
// same records. After Reject, or if it throws, it is called again with one record at a time, so that a single bad
// record is found. The last attempt (Settings::max_attempts) is made with one record at a time too. Thread: as for
// Handler.
using BatchHandler = std::function<Outcome(std::span<const Record>)>;

// Consumes topics as a member of a consumer group. The application owns it. It uses one thread for itself, one thread
// for each assigned partition, and the threads of librdkafka.
//
// Thread: any.
class Consumer {
 public:
  // Checks the settings, and does not connect yet. Errors: throws std::invalid_argument if a setting is missing or
  // invalid.
  explicit Consumer(Settings settings);
  // Stops the consumer as Stop() does.
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Sets the handler of an event type. REQUIRES: Start() was not called yet.
  // Errors: throws std::logic_error if the type has a handler already, or after Start().
  void On(std::string event_type, Handler handler);
  // Sets one handler for several event types. The handler receives records in batches. REQUIRES and Errors: as for
  // On().
  void OnBatch(std::vector<std::string> event_types, BatchHandler handler);

  // Starts the consumer, and returns without waiting until it has joined the group; Kafka need not be available yet.
  // After Stop() the consumer can be started again, and continues at the committed offsets.
  //
  // Errors: throws std::logic_error if the consumer is running, std::invalid_argument if librdkafka refuses a property.
  void Start();

  // Stops the consumer: calls no further handler, waits for running handlers, commits the offsets of the records that
  // were handled, and leaves the group. A second call does nothing.
  //
  // Errors: throws std::logic_error if it is called inside a handler, `setup` or `cleanup`, because it waits until
  // these functions have returned.
  void Stop();
  // Asks the consumer to stop, and returns without waiting until it has stopped. The function may be called inside a
  // handler, or by a thread that waits for signals.
  void RequestStop();

  // Waits until the consumer has stopped, for whatever reason. Returns true if it was asked to stop, and false if it
  // stopped by itself; failure() then returns the reason.
  bool Wait();
  // Returns true from Start() until the consumer has stopped.
  [[nodiscard]] bool running() const;
  // Returns why the last run stopped by itself; nothing if it did not stop by itself.
  [[nodiscard]] std::optional<std::string> failure() const;
  // Returns the counters, which include all runs.
  [[nodiscard]] Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outbox::consumer
