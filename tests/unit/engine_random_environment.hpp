// A simulated environment of an engine: a storage, a broker and a coordinator, which answer the engine's commands at
// random and do not model rows. A seed determines everything that they do. The environment counts what it observes,
// and the engine's own counters must agree.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "engine/engine.hpp"

namespace outbox::engine {

class RandomEnvironment {
 public:
  explicit RandomEnvironment(std::uint64_t seed) : random_(seed), settings_(MakeSettings()), engine_(settings_) {}

  [[nodiscard]] Engine& engine() { return engine_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  // Returns the log of what has happened, one entry a line. It contains enough to repeat a failure by hand.
  [[nodiscard]] const std::string& log() const { return log_; }
  [[nodiscard]] const std::array<std::uint64_t, std::variant_size_v<Command>>& commands() const { return commands_; }

  // Returns a random number below `limit`.
  Time Below(Time limit) { return static_cast<Time>(random_() % static_cast<std::uint64_t>(limit)); }
  bool OneIn(Time times) { return Below(times) == 0; }

  void AdvanceTo(Time when) {
    now_ = std::max(now_, when);
    Log("advance to " + std::to_string(now_));
    engine_.Advance(now_);
  }
  // Carries out the commands of one turn. Returns their number.
  std::size_t TakeCommands() {
    std::size_t taken = 0;
    engine_.TakeCommands([&](const Command& any) {
      ++taken;
      ++commands_[any.index()];
      Log("  command " + std::to_string(any.index()));
      std::visit(
          Overloaded{[&](const command::Reserve& c) { Reads(c); },
                     [&](const command::Publish& c) {
                       seen_.sent += c.events.size();
                       for (const EventIndex e : c.events) in_flight_.push_back({e, c.epoch});
                       for (const EventIndex e : c.events) unanswered_[e] = {c.epoch, false};
                     },
                     [&](const command::Reset& c) {
                       ++seen_.resets;
                       resets_.push_back(c.epoch);
                     },
                     [&](const command::Confirm& c) { confirming_ = c.events.size(); },
                     [&](const command::Fail& c) { recording_.assign(c.failures.begin(), c.failures.end()); },
                     [&](const command::Release&) { releasing_ = true; },
                     [&](const command::Mark&) { marking_ = true; }, [&](const command::Remove&) { removing_ = true; },
                     [&](const command::Forget& c) { forgotten_ += c.events.size(); },
                     [&](const command::Released& c) { stopped_ = c.reason == ReleaseReason::kStop; },
                     [](const auto&) {}},
          any);
    });
    return taken;
  }
  // Returns a description of a counter on which engine and environment disagree; empty if they agree on all.
  [[nodiscard]] std::string FindMiscount() const {
    if (awaits_wrongly_) return "the engine and its environment do not await the same reports";
    const Counters& its = engine_.counters();
    const std::uint64_t in_flight = static_cast<std::uint64_t>(
        std::ranges::count_if(unanswered_, [](const auto& one) { return !one.second.answered; }));
    for (const auto& [name, engine, environment] :
         std::initializer_list<std::tuple<const char*, std::uint64_t, std::uint64_t>>{
             {"reserved", its.reserved, seen_.reserved},
             {"sent", its.sent, seen_.sent},
             {"acknowledged", its.acknowledged, seen_.acknowledged},
             {"confirmed", its.confirmed, seen_.confirmed},
             {"failed", its.failed, seen_.failed},
             {"dead", its.dead, seen_.dead},
             {"blocked", its.blocked, seen_.blocked},
             {"undeletable", its.undeletable, seen_.undeletable},
             {"resets", its.resets, seen_.resets},
             {"rescans", its.rescans, seen_.rescans},
             {"sent again", its.sent_again, seen_.sent_again},
             {"outstanding", engine_.Outstanding(), seen_.reserved - forgotten_},
             {"in flight", engine_.InFlight(), in_flight}})
      if (engine != environment)
        return std::string(name) + ": " + std::to_string(engine) + " by the engine, " + std::to_string(environment) +
               " by its environment";
    return {};
  }
  // Draws one random event, such as an answer to a command. If the engine is not waiting for that answer, does
  // nothing.
  void Happen() {
    if (!engine_.IsOwner() && OneIn(4)) return Lease();
    switch (Below(16)) {
      case 0:
        return Lease();
      case 1:
        if (OneIn(3)) {
          Log("wake");
          engine_.Wake();
        }
        return;
      case 2:
        if (OneIn(8)) {
          Log("producer failed or outdated");
          OneIn(2) ? engine_.ProducerFailed() : engine_.ProducerOutdated();
        } else if (OneIn(4)) {
          Log("topics known");
          engine_.TopicsKnown();
        }
        return;
      case 3:
      case 4:
      case 5:
        return Read();
      case 6:
      case 7:
      case 8:
      case 9:
        return Report();
      case 10:
      case 11:
        return ResetDone();
      default:
        return Write();
    }
  }

 private:
  Settings MakeSettings() {
    Settings settings;
    settings.batch_events = 4;
    settings.window_events = 12;
    settings.window_bytes = 1000;
    settings.max_awaiting_record = OneIn(2) ? 0 : 8;
    settings.max_waiting_keys = OneIn(4) ? 1 : 4;
    settings.order_keys = !OneIn(8);
    settings.policies = {{.max_attempts = 3, .on_exhausted = OneIn(2) ? OUTBOX_BLOCK : OUTBOX_DEAD}};
    settings.min_poll = 10;
    settings.poll_interval = 160;
    settings.delivery_timeout = 2000;
    settings.lease_margin = 50;
    settings.confirm_gather = 20;
    settings.lane_idle = 300;
    settings.max_rescan_rest = 500;
    settings.max_record_rest = 500;
    settings.rescan_interval = 3000;
    settings.removal_interval = OneIn(2) ? kForever : 5000;
    settings.min_backoff = 20;
    settings.max_backoff = 100;
    settings.min_suspicion = 200;
    settings.max_suspicion = 1000;
    settings.max_trials = 3;
    settings.max_retrials = 1;
    settings.seed = random_();
    leases_end_ = !OneIn(4);
    rows_are_marked_ = OneIn(2);
    return settings;
  }
  void Log(const std::string& line) { log_ += line + '\n'; }

  void Lease() {
    const Time until = leases_end_ ? now_ + 200 + Below(4000) : kForever;
    const Time what = Below(100);
    if (what == 0) {
      Log("release: stop");
      return engine_.Release(ReleaseReason::kStop, token_, now_ + Below(OneIn(2) ? 100 : 2000));
    }
    if (what < 5) {
      Log("release: hand-over");
      return engine_.Release(ReleaseReason::kHandOver, token_, until);
    }
    if (what < 8) {
      Log("release: lost");
      return engine_.Release(ReleaseReason::kLost, token_, 0);
    }
    if (what < 13) ++token_;
    Log("hold " + std::to_string(token_) + " until " + std::to_string(until));
    engine_.Hold(token_, until, OneIn(3));
  }

  void Reads(const command::Reserve& read) {
    read_ = read;
    const bool goes_on = read.mode == OUTBOX_RESCAN && std::exchange(rescanning_, true);
    if (read.mode == OUTBOX_REWIND) rescanning_ = false;
    if (read.mode != OUTBOX_READ_ON && !goes_on) ++seen_.rescans;
  }
  void Read() {
    if (!read_) return;
    const command::Reserve read = *read_;
    read_.reset();
    if (OneIn(12)) {
      Log("read fails");
      return engine_.ReserveFailed(OneIn(4) ? OUTBOX_LEASE_LOST : OUTBOX_UNAVAILABLE);
    }
    Reservation reservation;
    reservation.arena_bytes = static_cast<std::uint64_t>(Below(200));
    reservation.more = OneIn(3);
    reservation.drain_first = OneIn(20);
    reservation.token = engine_.token();
    if (rows_are_marked_) reservation.until = now_ + 60 + Below(3000);
    if (read.mode == OUTBOX_RESCAN) reservation.rescan = static_cast<std::uint32_t>(Below(3));
    if (read.mode == OUTBOX_RESCAN) rescanning_ = reservation.rescan == OUTBOX_RESCAN_GOES_ON;
    std::vector<Incoming> events(static_cast<std::size_t>(OneIn(4) ? 0 : Below(Time{read.rows} + 1)));
    for (Incoming& event : events) {
      event.key_hash = static_cast<std::uint64_t>(Below(5));
      event.has_key = !OneIn(5);
      event.attempts = read.skip_retries || !OneIn(5) ? 0 : static_cast<std::uint32_t>(1 + Below(3));
      event.lane = static_cast<publisher::Lane>(event.key_hash % 3);
      event.refused = OneIn(15);
      event.doubtful = OneIn(8);
      event.returned = OneIn(30);
      event.waits = OneIn(12);
    }
    Log("read " + std::to_string(events.size()) + (reservation.more ? " more" : ""));
    seen_.reserved += events.size();
    (void)engine_.Reserved(reservation, events);
  }

  // Reports some of the events in flight to the engine, in any order.
  void Report() {
    std::vector<publisher::Report> reports;
    const bool good = !OneIn(6);
    for (Time n = 1 + Below(6); n > 0 && !in_flight_.empty(); --n) {
      const auto place = in_flight_.begin() + Below(static_cast<Time>(in_flight_.size()));
      publisher::Outcome outcome = publisher::Outcome::kAcknowledged;
      if (!good && OneIn(2)) outcome = OneIn(2) ? publisher::Outcome::kUnknown : publisher::Outcome::kRefused;
      reports.push_back({place->event, place->epoch, outcome, 7});
      Log("report " + std::to_string(place->event) + " outcome " + std::to_string(static_cast<int>(outcome)));
      in_flight_.erase(place);
      Note(reports.back());
    }
    engine_.Reported(reports);
    for (const std::uint32_t epoch : {main_, main_ - 1, trials_, trials_ - 1}) {
      const auto e = static_cast<EventIndex>(Below(20));
      if (engine_.Awaits({e, epoch, publisher::Outcome::kAcknowledged}) != Awaited(e, epoch)) awaits_wrongly_ = true;
    }
  }

  // True if the engine expects a report on the event in `epoch`, because the event was sent in that epoch and has no
  // answer yet; the engine ignores any other report. An event whose outcome is unknown is read again later; in the
  // stream of trials it counts as in flight until then.
  [[nodiscard]] bool Awaited(EventIndex e, std::uint32_t epoch) const {
    const auto sent = unanswered_.find(e);
    return sent != unanswered_.end() && sent->second.epoch == epoch && !sent->second.answered;
  }
  void Note(const publisher::Report& report) {
    const auto sent = unanswered_.find(report.event);
    const bool awaited = Awaited(report.event, report.epoch);
    if (awaited != engine_.Awaits(report)) awaits_wrongly_ = true;
    if (!awaited) return;
    const bool trial = publisher::IsTrial(report.epoch);
    if (report.outcome == publisher::Outcome::kAcknowledged) ++seen_.acknowledged;
    if (report.outcome == publisher::Outcome::kAcknowledged ||
        (trial && report.outcome == publisher::Outcome::kRefused))
      unanswered_.erase(sent);
    else
      sent->second.answered = !trial;
  }
  void ResetDone() {
    if (resets_.empty()) return;
    const auto place = resets_.begin() + Below(static_cast<Time>(resets_.size()));
    const std::uint32_t epoch = *place;
    resets_.erase(place);
    Log("reset done " + std::to_string(epoch));
    // About one in ten of the stream's events stays in the list, so that its report arrives too late.
    std::erase_if(in_flight_, [&](const Sent& sent) {
      return publisher::IsTrial(sent.epoch) == publisher::IsTrial(epoch) && !OneIn(10);
    });
    seen_.sent_again += std::erase_if(unanswered_, [&](const auto& one) { return one.second.epoch == epoch - 1; });
    (publisher::IsTrial(epoch) ? trials_ : main_) = epoch;
    engine_.ResetDone(epoch);
  }

  outbox_code Code() {
    if (!OneIn(5)) return OUTBOX_OK;
    constexpr outbox_code kCodes[] = {OUTBOX_UNAVAILABLE, OUTBOX_UNAVAILABLE, OUTBOX_LEASE_LOST, OUTBOX_INTERNAL};
    return kCodes[Below(4)];
  }
  void Write() {
    const outbox_code code = Code();
    const Time which = Below(5);
    if (which == 0 && confirming_ > 0) {
      std::vector<std::uint8_t> kept(OneIn(4) ? confirming_ : 0);
      for (std::uint8_t& row : kept) row = OneIn(2) ? 1 : 0;
      const outbox_code answer = code == OUTBOX_LEASE_LOST ? OUTBOX_REFUSED : code;
      if (answer == OUTBOX_OK) seen_.confirmed += confirming_ - static_cast<std::uint64_t>(std::ranges::count(kept, 1));
      confirming_ = 0;
      Log("confirmed, code " + std::to_string(answer));
      engine_.Written(engine::Write::kConfirm, answer, kept);
    } else if (which == 1 && !recording_.empty()) {
      const std::vector<FailedEvent> recorded = std::exchange(recording_, {});
      if (code == OUTBOX_OK) Recorded(recorded);
      Log("recorded, code " + std::to_string(code));
      engine_.Written(engine::Write::kFail, code);
    } else if (which == 2 && releasing_) {
      releasing_ = false;
      Log("reservations released, code " + std::to_string(code));
      engine_.Written(engine::Write::kRelease, code);
    } else if (which == 3 && marking_) {
      marking_ = false;
      Log("marked, code " + std::to_string(code));
      engine_.Marked(code, static_cast<std::uint32_t>(1 + Below(5)));
    } else if (which == 4 && removing_) {
      removing_ = false;
      Log("removed");
      engine_.Removed(code == OUTBOX_INTERNAL ? OUTBOX_UNSUPPORTED : code, static_cast<std::uint64_t>(Below(2)));
    }
  }

  void Recorded(const std::vector<FailedEvent>& failures) {
    for (const FailedEvent& failed : failures) {
      ++(failed.disposition == OUTBOX_DELIVERED ? seen_.undeletable : seen_.failed);
      if (failed.disposition == OUTBOX_DEAD) ++seen_.dead;
      if (failed.disposition == OUTBOX_BLOCK) ++seen_.blocked;
    }
  }

  struct Sent {
    EventIndex event;
    std::uint32_t epoch;
  };
  struct Unanswered {
    std::uint32_t epoch = 0;
    bool answered = false;  // True if the main stream reported an outcome other than acknowledged.
  };

  std::mt19937_64 random_;
  bool leases_end_ = true, rows_are_marked_ = false;
  Settings settings_;
  Engine engine_;
  Time now_ = 0;
  std::uint64_t token_ = 1;
  bool stopped_ = false;
  std::string log_;
  std::array<std::uint64_t, std::variant_size_v<Command>> commands_{};

  // The engine's calls that are not answered yet, and the events in flight.
  std::optional<command::Reserve> read_;
  std::vector<Sent> in_flight_;
  std::vector<std::uint32_t> resets_;
  std::size_t confirming_ = 0;
  std::vector<FailedEvent> recording_;
  bool releasing_ = false, marking_ = false, removing_ = false;

  // Counters of what this simulated environment did.
  Counters seen_;
  std::uint64_t forgotten_ = 0;
  bool rescanning_ = false;
  std::map<EventIndex, Unanswered> unanswered_;
  bool awaits_wrongly_ = false;
  // The current epochs of the main stream and of the stream of trials.
  std::uint32_t main_ = 1, trials_ = publisher::kTrialEpochs | 1;
};

}  // namespace outbox::engine
