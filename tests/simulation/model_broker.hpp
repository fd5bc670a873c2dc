// A model of the broker and of the idempotent, gapless producer in front of it. The model keeps only the promises on
// which the engine may rely.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "publisher/report.hpp"
#include "tests/simulation/ledger.hpp"
#include "tests/simulation/scenario.hpp"

namespace outbox::simulation {

// The state of the broker, which all relays of a run share.
struct ModelBroker {
  Time down_until = 0;
  std::uint32_t lanes = 1;  // Number of partitions of each topic; it only grows.
  void DownUntil(Time t) { down_until = std::max(down_until, t); }
};

// Brokers forget a producer that has been idle for kBrokerForgets. The engine proves a lane again after kLaneIdle, well
// before that.
inline constexpr Time kBrokerForgets = 12 * kSecond, kLaneIdle = 2 * kSecond;

// Time that the engine waits for an answer, by the relay's clock. If one record gets no answer, the producer is reset,
// and the records that were sent after the unanswered one are lost as well.
inline constexpr Time kDeliveryTimeout = 2 * kSecond;

// The producer of one shard. As in Publisher::Reset, a reset replaces the producer instance by a new one.
class ModelProducer {
 public:
  struct Listener {
    std::function<void(std::vector<publisher::Report>)> reported;
    std::function<void(std::uint32_t epoch)> reset;
    std::function<void()> failed;
    // Returns the end of the process's pause, by the world's clock. The producer sends nothing until then.
    std::function<Time()> awake;
  };
  struct Run {
    World& world;
    Chances& chances;
    Ledger& ledger;
    History& history;
    ModelBroker& broker;
    const Scenario& scenario;
  };

  ModelProducer(Run run, std::uint32_t shard, Listener listener)
      : run_(run),
        shard_(shard),
        listener_(std::move(listener)),
        producer_(std::make_shared<Producer>()),
        trials_(std::make_shared<Trials>()) {}

  // Sends an event in the stream to which the epoch belongs: the main stream or the trials.
  void Publish(publisher::Lane lane, const Row& row, std::uint32_t event, std::uint32_t epoch);
  void Reset(std::uint32_t epoch);
  // Models the death of the process. For each lane, a prefix of the requests on the wire may still arrive, now or
  // after the next producer has begun.
  void Kill();

 private:
  struct Record {
    Row row;
    std::uint32_t event;
    Time queued;
  };
  struct Request {
    std::vector<Record> records;
    bool settled = false, refused = false;
    mutable bool stored = false;
  };
  struct Lane {
    std::deque<Record> queue;
    std::deque<std::shared_ptr<Request>> flying;
    bool pulling = false, answering = false;
    Time known = -kForever;  // When the broker last stored a record of this producer in the lane.
  };
  struct Producer {
    std::uint32_t epoch = 1;
    bool dead = false;    // True if the producer was reset, or an error stopped it.
    bool killed = false;  // True if the fate of the requests on the wire was decided.
    std::unordered_map<publisher::Lane, Lane> lanes;
  };
  using Handle = std::shared_ptr<Producer>;
  // The stream of trials. Each trial is a request of its own, and trials have no order among each other.
  struct Trials {
    std::uint32_t epoch = publisher::kTrialEpochs | 1;
    bool dead = false;
    std::vector<std::pair<publisher::Lane, std::shared_ptr<Request>>> flying;
  };

  void AwaitTrial(const std::shared_ptr<Trials>& trials, publisher::Lane lane, const std::shared_ptr<Request>& request);
  void AnswerTrial(Trials& trials, publisher::Lane lane, Request& request);
  void KillMain();
  void KillTrials();

  void Pull(const Handle& p, publisher::Lane lane);
  void Fly(const Handle& p, publisher::Lane lane);
  void Await(const Handle& p, publisher::Lane lane);
  void Answer(const Handle& p, publisher::Lane lane);
  void Store(const Request& request, publisher::Lane lane, bool acked);
  // Reports, after a reset, the outcomes of requests that were sent before it. The engine has to ignore these reports,
  // because the indexes of the events may belong to other events by then.
  void ReportLate(std::uint32_t epoch, const std::vector<std::shared_ptr<Request>>& requests);
  void Report(std::uint32_t epoch, const std::vector<Record>& records, publisher::Outcome outcome);
  [[nodiscard]] bool Takes(const Row& row) const;
  [[nodiscard]] bool Refuses(const Request& request);

  const Run run_;
  const std::uint32_t shard_;
  const Listener listener_;
  Handle producer_;
  std::shared_ptr<Trials> trials_;
};

}  // namespace outbox::simulation
