// A broker, and the idempotent, gapless producer in front of it: what the engine may rely on, and no more.
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

// What all relays of a run share.
struct ModelBroker {
  Time down_until = 0;
  std::uint32_t lanes = 1;  // grows
  void DownUntil(Time t) { down_until = std::max(down_until, t); }
};

// Brokers forget a producer that was idle for so long; the engine proves a lane anew well before that.
inline constexpr Time kBrokerForgets = 12 * kSecond, kLaneIdle = 2 * kSecond;

// By the relay's clock. A record that gets no answer takes what was sent after it along when the producer is reset.
inline constexpr Time kDeliveryTimeout = 2 * kSecond;

// Of one shard: one producer instance after the other, as Publisher::Reset replaces them.
class ModelProducer {
 public:
  struct Listener {
    std::function<void(std::vector<publisher::Report>)> reported;
    std::function<void(std::uint32_t epoch)> reset;
    std::function<void()> failed;
    std::function<Time()> awake;  // when the process goes on; a paused one sends nothing
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

  // To the stream of the epoch: the main one, or the trials.
  void Publish(publisher::Lane lane, const Row& row, std::uint32_t event, std::uint32_t epoch);
  void Reset(std::uint32_t epoch);
  // What is on the wire may still arrive, now or after the next producer has begun: for each lane a prefix.
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
    Time known = -kForever;  // when the broker last stored something of this producer
  };
  struct Producer {
    std::uint32_t epoch = 1;
    bool dead = false;    // reset, or stopped by an error
    bool killed = false;  // what was on the wire has gone its way
    std::unordered_map<publisher::Lane, Lane> lanes;
  };
  using Handle = std::shared_ptr<Producer>;
  // Each record is a request of its own; they have no order.
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
  // The engine has to ignore them: their events may have made room for others.
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
