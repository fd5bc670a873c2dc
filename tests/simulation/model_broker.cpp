#include "tests/simulation/model_broker.hpp"

#include <algorithm>
#include <utility>

namespace outbox::simulation {

using publisher::Outcome;

namespace {
constexpr std::size_t kMaxFlying = 5;
constexpr Time kMessageTimeout = kSecond;  // Only for the mutant message-timeout; the relay has no such timeout.
}  // namespace

bool ModelProducer::Takes(const Row& row) const {
  const Fate& fate = run_.ledger.Of(row.event);
  return fate.poison != Poison::kTooLarge && (fate.poison != Poison::kShy || fate.refusals >= 2);
}

bool ModelProducer::Refuses(const Request& request) {
  bool refuses = false;
  for (const Record& r : request.records) {
    if (Takes(r.row)) continue;
    ++run_.ledger.Of(r.row.event).refusals;
    refuses = true;
  }
  return refuses;
}

void ModelProducer::Publish(publisher::Lane lane, const Row& row, std::uint32_t event, std::uint32_t epoch) {
  if (publisher::IsTrial(epoch)) {
    const auto request = std::make_shared<Request>();
    request->records.push_back({row, event, run_.world.now()});
    trials_->flying.emplace_back(lane, request);
    return AwaitTrial(trials_, lane, request);
  }
  if (producer_->dead) return;
  producer_->lanes[lane].queue.push_back({row, event, run_.world.now()});
  Pull(producer_, lane);
}

void ModelProducer::Reset(std::uint32_t epoch) {
  const Time takes = run_.world.Between(100, 20'000);
  std::vector<std::shared_ptr<Request>> left;
  if (publisher::IsTrial(epoch)) {
    KillTrials();
    for (const auto& [lane, request] : trials_->flying) left.push_back(request);
    return run_.world.After(takes, [this, epoch, left] {
      ReportLate(trials_->epoch, left);
      trials_ = std::make_shared<Trials>();
      trials_->epoch = epoch;
      listener_.reset(epoch);
    });
  }
  KillMain();
  for (const auto& [at, lane] : producer_->lanes) left.insert(left.end(), lane.flying.begin(), lane.flying.end());
  run_.world.After(takes, [this, epoch, left] {
    ReportLate(producer_->epoch, left);
    producer_ = std::make_shared<Producer>();
    producer_->epoch = epoch;
    listener_.reset(epoch);
  });
}

void ModelProducer::ReportLate(std::uint32_t epoch, const std::vector<std::shared_ptr<Request>>& requests) {
  if (!run_.chances.Happens(Chance::kLateReport, run_.scenario.late_report)) return;
  run_.world.After(run_.world.Between(1, 50'000), [this, epoch, requests] {
    for (const auto& request : requests)
      Report(epoch, request->records, request->stored ? Outcome::kAcknowledged : Outcome::kRefused);
  });
}

void ModelProducer::Kill() {
  KillMain();
  KillTrials();
}

void ModelProducer::KillMain() {
  const Handle old = producer_;
  old->dead = true;
  if (std::exchange(old->killed, true)) return;
  for (auto& [at, lane] : old->lanes) {
    Time late = 0;
    for (const auto& request : lane.flying) {
      if (request->refused) break;  // The broker accepts nothing after a gap.
      if (request->settled) continue;
      if (run_.world.Coin() ||
          std::any_of(request->records.begin(), request->records.end(), [&](const Record& r) { return !Takes(r.row); }))
        break;
      request->settled = true;
      if (late == 0 && run_.world.Coin()) late = run_.world.Between(1, 3 * kSecond);
      if (late == 0)
        Store(*request, at, false);
      else
        run_.world.After(late, [this, request, where = at] { Store(*request, where, false); });
    }
  }
}

// Sends the queued records of a lane after the linger time, in requests of up to 20 records.
void ModelProducer::Pull(const Handle& p, publisher::Lane lane) {
  if (std::exchange(p->lanes[lane].pulling, true)) return;
  run_.world.After(run_.world.Between(10, 5'000), [this, p, lane] { Fly(p, lane); });
}

void ModelProducer::Fly(const Handle& p, publisher::Lane at) {
  Lane& lane = p->lanes[at];
  const Time wait = std::max(listener_.awake(), run_.broker.down_until);
  if (!p->dead && wait > run_.world.now()) return run_.world.At(wait + 1, [this, p, at] { Fly(p, at); });
  lane.pulling = false;
  if (p->dead) return;
  std::vector<Record> too_old;
  if (run_.scenario.mutant == Mutant::kMessageTimeout) {
    for (; !lane.queue.empty() && run_.world.now() - lane.queue.front().queued > kMessageTimeout;
         lane.queue.pop_front())
      too_old.push_back(lane.queue.front());
  }
  while (!lane.queue.empty() && lane.flying.size() < kMaxFlying) {
    auto request = std::make_shared<Request>();
    for (auto n = 1 + run_.world.Below(20); n > 0 && !lane.queue.empty(); --n) {
      request->records.push_back(lane.queue.front());
      lane.queue.pop_front();
    }
    lane.flying.push_back(request);
  }
  if (!too_old.empty()) Report(p->epoch, too_old, Outcome::kUnknown);
  Await(p, at);
}

void ModelProducer::Await(const Handle& p, publisher::Lane at) {
  Lane& lane = p->lanes[at];
  if (p->dead || lane.flying.empty() || std::exchange(lane.answering, true)) return;
  run_.world.At(
      std::max(run_.world.now() + run_.world.Between(50, run_.scenario.broker_answers_us), run_.broker.down_until),
      [this, p, at] { Answer(p, at); });
}

void ModelProducer::Answer(const Handle& p, publisher::Lane at) {
  Lane& lane = p->lanes[at];
  lane.answering = false;
  if (p->dead || lane.flying.empty() || lane.flying.front()->settled) return;
  const Scenario& s = run_.scenario;
  if (run_.world.now() < run_.broker.down_until) return Await(p, at);
  if (run_.chances.Happens(Chance::kStall, s.stall)) {
    run_.history.Say("broker gives no answer in lane {}", at);
    return run_.ledger.Fault(shard_, kDeliveryTimeout * 11 / 10);
  }
  if (run_.chances.Happens(Chance::kFatal, s.fatal)) {
    run_.history.Say("producer of shard {} fails for good", shard_);
    run_.ledger.Fault(shard_);
    p->dead = true;
    return listener_.failed();
  }
  const std::shared_ptr<Request> request = lane.flying.front();
  const bool has_state = run_.world.now() - lane.known < kBrokerForgets;
  const bool others = lane.flying.size() > 1;
  const Outcome implied = s.mutant == Mutant::kConfirmOnImplied ? Outcome::kAcknowledged : Outcome::kUnknown;
  request->settled = true;
  if (Refuses(*request)) {
    run_.history.Say("broker refuses a request with {} in lane {}", run_.ledger.Name(request->records[0].row.event),
                     at);
    run_.ledger.RequestRefused(shard_);
    if (s.mutant == Mutant::kOvertaking) {
      lane.flying.pop_front();
      Await(p, at);
    } else {
      // The client first stops, and then reports which records were refused.
      request->refused = true;
      p->dead = true;
      listener_.failed();
    }
    return run_.world.After(run_.world.Between(0, 90),
                            [this, p, request] { Report(p->epoch, request->records, Outcome::kRefused); });
  }
  if (!has_state && others && run_.chances.Happens(Chance::kStateless, s.stateless)) {
    // The broker mistakes the second request for the first, and the client infers that the first was stored too.
    run_.history.Say("broker refuses the first request in lane {} and takes the next", at);
    run_.ledger.Fault(shard_);
    lane.flying.pop_front();
    lane.known = run_.world.now();
    Report(p->epoch, request->records, implied);
    return Await(p, at);
  }
  if (others && run_.chances.Happens(Chance::kImplied, s.implied)) {
    run_.history.Say("the client only concludes that a request in lane {} was stored", at);
    run_.ledger.Fault(shard_);
    Store(*request, at, false);
    lane.known = run_.world.now();
    lane.flying.pop_front();
    Report(p->epoch, request->records, implied);
    return Await(p, at);
  }
  if (run_.chances.Happens(Chance::kAckLost, s.ack_lost)) {
    Store(*request, at, false);
    run_.history.Say("its acknowledgement is lost");
    run_.ledger.Fault(shard_);
    p->dead = true;
    return Report(p->epoch, request->records, Outcome::kUnknown);
  }
  Store(*request, at, true);
  lane.known = run_.world.now();
  lane.flying.pop_front();
  Report(p->epoch, request->records, Outcome::kAcknowledged);
  if (p->dead) return;
  if (!lane.flying.empty())
    Await(p, at);
  else if (!lane.queue.empty())
    Pull(p, at);
}

// Ends the stream of trials. Its requests on the wire have no order among each other or with other requests.
void ModelProducer::KillTrials() {
  if (std::exchange(trials_->dead, true)) return;
  for (const auto& [lane, request] : trials_->flying) {
    if (request->settled || run_.world.Coin() || !Takes(request->records[0].row)) continue;
    request->settled = true;
    if (run_.world.Coin())
      Store(*request, lane, false);
    else
      run_.world.After(run_.world.Between(1, 3 * kSecond),
                       [this, request = request, where = lane] { Store(*request, where, false); });
  }
}

void ModelProducer::AwaitTrial(const std::shared_ptr<Trials>& trials, publisher::Lane lane,
                               const std::shared_ptr<Request>& request) {
  const Time answer = run_.world.now() + run_.world.Between(50, run_.scenario.broker_answers_us);
  run_.world.At(std::max(answer, run_.broker.down_until), [this, trials, lane, request] {
    if (trials->dead || request->settled) return;
    if (run_.world.now() < run_.broker.down_until) return AwaitTrial(trials, lane, request);
    AnswerTrial(*trials, lane, *request);
  });
}

void ModelProducer::AnswerTrial(Trials& trials, publisher::Lane lane, Request& request) {
  const std::string name = run_.ledger.Name(request.records[0].row.event);
  if (run_.chances.Happens(Chance::kStall, run_.scenario.stall)) {
    run_.history.Say("broker gives no answer to the trial of {}", name);
    return run_.ledger.Fault(shard_, kDeliveryTimeout * 11 / 10);
  }
  request.settled = true;
  if (Refuses(request)) {
    run_.history.Say("broker refuses the trial of {}", name);
    return Report(trials.epoch, request.records, Outcome::kRefused);
  }
  if (run_.chances.Happens(Chance::kAckLost, run_.scenario.ack_lost)) {
    Store(request, lane, false);
    run_.history.Say("its acknowledgement is lost");
    run_.ledger.Fault(shard_);
    // Either the client gives up, or it sends the record again. A trial has no sequence number by which the broker
    // could recognise the second copy.
    if (run_.world.Coin()) return Report(trials.epoch, request.records, Outcome::kUnknown);
  }
  Store(request, lane, true);
  Report(trials.epoch, request.records, Outcome::kAcknowledged);
}

void ModelProducer::Store(const Request& request, publisher::Lane lane, bool acked) {
  request.stored = true;
  for (const Record& r : request.records) {
    run_.ledger.Stored(r.row, lane);
    if (acked) run_.ledger.Acked(r.row.event);
  }
}

void ModelProducer::Report(std::uint32_t epoch, const std::vector<Record>& records, Outcome outcome) {
  std::vector<publisher::Report> reports;
  reports.reserve(records.size());
  for (const Record& r : records) reports.push_back({r.event, epoch, outcome, 0});
  listener_.reported(std::move(reports));
}

}  // namespace outbox::simulation
