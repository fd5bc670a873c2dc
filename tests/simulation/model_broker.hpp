// A partitioned log and an idempotent, gapless producer in front of it: what the engine may rely on, and no more.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "publish/report.hpp"
#include "tests/simulation/model_store.hpp"

namespace outbox::simulation {

struct Faults {
  double refuse_retriably =
      0;  // the first request of a lane that the broker holds no state for is refused, the next taken
  double lose_ack = 0;
  double stall = 0;         // a request without an answer until the producer is reset
  bool overtaking = false;  // a broken client: later requests pass a refused one
};

class ModelBroker {
 public:
  explicit ModelBroker(int lanes) : log(static_cast<std::size_t>(lanes)) {}
  std::vector<std::vector<Row>> log;
  std::map<RowId, int> refusals;  // of shy rows

  bool Takes(const Row& row) {
    if (row.poison == Poison::kTooLarge) return false;
    return row.poison != Poison::kShy || refusals[row.id] >= 2;
  }
};

// One producer instance after the other, as Publisher::Reset replaces them.
class ModelProducer {
 public:
  using Send = std::function<void(std::vector<publish::Report>)>;

  ModelProducer(World& world, ModelBroker& broker, const Faults& faults, Send reports,
                std::function<void(std::uint32_t)> reset)
      : world_(world), broker_(broker), faults_(faults), reports_(std::move(reports)), reset_(std::move(reset)) {
    Renew(1);
  }

  void Publish(publish::Lane lane, const Row& row, std::uint32_t event) {
    if (producer_->dead) return;
    producer_->lanes[lane].queue.push_back({row, event});
    Pull(producer_, lane);
  }

  void Reset(std::uint32_t epoch) {
    Kill();
    world_.After(world_.Between(100, 20'000), [this, epoch] {
      Renew(epoch);
      reset_(epoch);
    });
  }

  // What is on the wire may still arrive, now or after the next producer has begun: for each lane a prefix.
  void Kill() {
    auto old = producer_;
    old->dead = true;
    for (auto& [lane, state] : old->lanes) {
      std::vector<Row> late;
      for (const auto& request : state.flying) {
        if (request->refused) break;  // the broker takes nothing after a hole
        if (request->settled) continue;
        if (world_.Chance(0.5) || std::any_of(request->records.begin(), request->records.end(),
                                              [&](const Record& r) { return !broker_.Takes(r.row); }))
          break;
        for (const Record& r : request->records) late.push_back(r.row);
        request->settled = true;
      }
      if (late.empty()) continue;
      auto store = [this, at = lane, late] {
        for (const Row& row : late) broker_.log[at].push_back(row);
      };
      if (world_.Chance(0.5))
        store();
      else
        world_.After(world_.Between(1, 3 * engine::kSecond), store);
    }
  }

 private:
  struct Record {
    Row row;
    std::uint32_t event;
  };
  struct Request {
    std::vector<Record> records;
    bool settled = false, refused = false;
  };
  struct LaneState {
    std::deque<Record> queue;
    std::deque<std::shared_ptr<Request>> flying;
    bool pulling = false, known = false;
  };
  struct Producer {
    std::uint32_t epoch;
    bool dead = false;  // reset, or stopped by a fatal error
    std::map<publish::Lane, LaneState> lanes;
  };

  void Renew(std::uint32_t epoch) {
    producer_ = std::make_shared<Producer>();
    producer_->epoch = epoch;
  }

  // After the linger, records travel in requests of a few, up to five requests at a time.
  void Pull(const std::shared_ptr<Producer>& p, publish::Lane lane) {
    if (p->lanes[lane].pulling) return;
    p->lanes[lane].pulling = true;
    world_.After(world_.Between(10, 5'000), [this, p, lane] {
      LaneState& state = p->lanes[lane];
      state.pulling = false;
      if (p->dead) return;
      while (!state.queue.empty() && state.flying.size() < 5) {
        auto request = std::make_shared<Request>();
        for (auto n = 1 + world_.Random(20); n > 0 && !state.queue.empty(); --n) {
          request->records.push_back(state.queue.front());
          state.queue.pop_front();
        }
        state.flying.push_back(request);
      }
      Answer(p, lane);
    });
  }

  void Answer(const std::shared_ptr<Producer>& p, publish::Lane lane) {
    world_.After(world_.Between(50, 3'000), [this, p, lane] {
      LaneState& state = p->lanes[lane];
      if (p->dead || state.flying.empty() || state.flying.front()->settled) return;
      if (world_.Chance(faults_.stall)) return;
      auto request = state.flying.front();
      bool refused = false;
      for (const Record& r : request->records) {
        if (broker_.Takes(r.row)) continue;
        ++broker_.refusals[r.row.id];
        refused = true;
      }
      std::vector<publish::Report> reports;
      const auto report = [&](const Request& of, publish::Outcome outcome) {
        for (const Record& r : of.records) reports.push_back({r.event, p->epoch, outcome, 0});
      };
      if (refused) {
        request->settled = request->refused = true;
        report(*request, publish::Outcome::kRefused);
        p->dead = !faults_.overtaking;
        if (faults_.overtaking) state.flying.pop_front();
      } else if (!state.known && state.flying.size() > 1 && world_.Chance(faults_.refuse_retriably)) {
        // The broker has no state for this producer and takes the second request as the first; the client then
        // believes that the first was stored too.
        request->settled = true;
        report(*request, publish::Outcome::kStored);
        state.flying.pop_front();
        state.known = true;
      } else {
        request->settled = true;
        for (const Record& r : request->records) broker_.log[lane].push_back(r.row);
        state.known = true;
        if (world_.Chance(faults_.lose_ack)) {
          report(*request, publish::Outcome::kUnknown);
          p->dead = true;
        } else {
          report(*request, publish::Outcome::kStored);
          state.flying.pop_front();
        }
      }
      reports_(std::move(reports));
      if (p->dead) return;
      if (!state.flying.empty())
        Answer(p, lane);
      else if (!state.queue.empty())
        Pull(p, lane);
    });
  }

  World& world_;
  ModelBroker& broker_;
  const Faults faults_;
  Send reports_;
  std::function<void(std::uint32_t)> reset_;
  std::shared_ptr<Producer> producer_;
};

}  // namespace outbox::simulation
