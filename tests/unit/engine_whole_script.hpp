// Scripts for the whole engine (see engine_script.hpp). Each line is an input. Its result lists everything that
// happens in one turn after the input: first the commands, oldest first, and then the changes of the counters and of
// the engine's other public state.
//
//   ago                                   shows the state of a new engine, before its first turn
//   settings NAME NUMBER …                changes settings; only before all other lines
//   at TIME                               sets the clock; on a line of its own, or followed by an input
//   hold TOKEN UNTIL [slow]               begins a lease; lost, hand-over TOKEN UNTIL and stop UNTIL end it
//   read [more] [drain] [bytes N] [until N] [token N] [goes-on | ended] EVENT…
//   read-fails [CODE]
//   [stale] stored E…, unknown E…, refused E…
//                                         reports outcomes in the epoch in which the event was last sent or, if stale,
//                                         in the epoch before that one
//   reset, trials-reset                   answers the newest request to reset the main stream, or the trials
//   confirmed [CODE] [kept E…], recorded [CODE], released [CODE], marked OWNERS [CODE], removed ROWS [CODE]
//   producer-failed, producer-outdated, wake, topics-known
//
// An EVENT is written as its key, or as - if it has no key, followed by its properties: "a" is an event of key a; "a2"
// has failed twice; "a!" is refused before sending, "a?" is doubtful, "a~" awaits its topic, "a<" has come back after
// its removal; "a-" has no key, but the hash of key a; "a/3" goes to lane 3; "a@1" has policy 1. Results name events
// by their slots, and epochs by their numbers, without the bit that marks trials.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.hpp"
#include "engine_script.hpp"

namespace outbox::engine {

inline Settings SmallSettings() {
  Settings settings;
  settings.batch_events = 4;
  settings.window_events = 12;
  settings.window_bytes = 1000;
  // The backoffs of these policies are too short to be shortened at random.
  settings.policies = {{.max_attempts = 3, .on_exhausted = OUTBOX_DEAD, .retry_backoff = 1, .max_retry_backoff = 3},
                       {.max_attempts = 2, .on_exhausted = OUTBOX_BLOCK, .retry_backoff = 2, .max_retry_backoff = 3}};
  settings.min_poll = 10;
  settings.poll_interval = 40;
  settings.delivery_timeout = 1000;
  settings.lease_margin = 50;
  settings.confirm_gather = 5;
  settings.lane_idle = 5000;
  settings.max_rescan_rest = 100;
  settings.max_record_rest = 100;
  settings.rescan_interval = 100'000;
  settings.min_backoff = 1;
  settings.max_backoff = 3;
  settings.min_suspicion = 200;
  settings.max_suspicion = 800;
  settings.max_trials = 2;
  settings.max_retrials = 1;
  settings.first_steps = 1;
  return settings;
}

class WholeEngine {
 public:
  std::string Do(Words& words) {
    if (words.Is("settings")) {
      while (!words.AtEnd()) Set(words);
      return "";
    }
    Start();
    if (words.Is("ago")) return Changes();
    if (words.Is("at")) now_ = words.Number();
    engine_->Advance(now_);
    commands_.clear();
    if (!words.AtEnd()) Input(words);
    engine_->TakeCommands([this](const Command& any) {
      Command copy = any;
      std::visit([this](const auto& command) { Add(command); }, copy);
    });
    const std::string changes = Changes();
    return commands_.empty() || changes.empty() ? commands_ + changes : commands_ + " | " + changes;
  }
  [[nodiscard]] std::string Broken() const { return engine_ == nullptr ? "" : engine_->CheckInvariants(); }

 private:
  using Named = std::vector<std::pair<const char*, outbox_code>>;

  void Start() {
    if (engine_ == nullptr) engine_ = std::make_unique<Engine>(settings_);
  }
  void Set(Words& words) {
    const auto set = [&words](auto& to) { to = static_cast<std::remove_reference_t<decltype(to)>>(words.Number()); };
    if (words.Is("without-order")) settings_.order_keys = false;
    if (words.Is("awaiting")) set(settings_.max_awaiting_record);
    if (words.Is("removal-interval")) set(settings_.removal_interval);
    if (words.Is("rescan-interval")) set(settings_.rescan_interval);
    if (words.Is("retry-most")) set(settings_.policies[0].max_retry_backoff);
    if (words.Is("delivery-timeout")) set(settings_.delivery_timeout);
    if (words.Is("window")) set(settings_.window_events);
    if (words.Is("min-poll")) set(settings_.min_poll);
    if (words.Is("waiting-keys")) set(settings_.max_waiting_keys);
  }

  // ---- inputs ----

  void Input(Words& words) {
    if (words.Is("wake")) return engine_->Wake();
    if (words.Is("topics-known")) return engine_->TopicsKnown();
    if (words.Is("producer-failed")) return engine_->ProducerFailed();
    if (words.Is("producer-outdated")) return engine_->ProducerOutdated();
    if (words.Is("reset")) return engine_->ResetDone(reset_);
    if (words.Is("trials-reset")) return engine_->ResetDone(trials_reset_);
    if (words.Is("read-fails")) {
      Take("read");
      return engine_->ReserveFailed(Code(words, OUTBOX_UNAVAILABLE));
    }
    if (words.Is("read")) return Read(words);
    if (LeaseInput(words) || Answer(words)) return;
    Report(words);
  }
  bool LeaseInput(Words& words) {
    const auto number = [&words] { return static_cast<std::uint64_t>(words.Number()); };
    if (words.Is("hold")) {
      const std::uint64_t token = number();
      const Time until = words.Number();
      engine_->Hold(token, until, words.Is("slow"));
    } else if (words.Is("hand-over")) {
      const std::uint64_t token = number();
      engine_->Release(ReleaseReason::kHandOver, token, words.Number());
    } else if (words.Is("lost")) {
      engine_->Release(ReleaseReason::kLost, engine_->token(), 0);
    } else if (words.Is("stop")) {
      engine_->Release(ReleaseReason::kStop, engine_->token(), words.Number());
    } else {
      return false;
    }
    return true;
  }
  bool Answer(Words& words) {
    if (words.Is("confirmed")) {
      Take("confirm");
      const outbox_code code = Code(words, OUTBOX_OK);
      std::vector<std::uint8_t> kept;
      if (words.Is("kept")) {
        const std::vector<Time> named = words.Numbers();
        for (const EventIndex e : engine_->Confirming()) kept.push_back(std::ranges::count(named, Time{e}) > 0 ? 1 : 0);
      }
      engine_->Written(Write::kConfirm, code, kept);
    } else if (words.Is("recorded")) {
      Take("record");
      engine_->Written(Write::kFail, Code(words, OUTBOX_OK));
    } else if (words.Is("released")) {
      Take("release");
      engine_->Written(Write::kRelease, Code(words, OUTBOX_OK));
    } else if (words.Is("marked")) {
      Take("mark");
      const auto owners = static_cast<std::uint32_t>(words.Number());
      engine_->Marked(Code(words, OUTBOX_OK), owners);
    } else if (words.Is("removed")) {
      Take("remove");
      const auto rows = static_cast<std::uint64_t>(words.Number());
      engine_->Removed(Code(words, OUTBOX_OK), rows);
    } else {
      return false;
    }
    return true;
  }
  static outbox_code Code(Words& words, outbox_code otherwise) {
    static const Named kCodes = {{"lease-lost", OUTBOX_LEASE_LOST},   {"unavailable", OUTBOX_UNAVAILABLE},
                                 {"timeout", OUTBOX_TIMEOUT},         {"refused", OUTBOX_REFUSED},
                                 {"unsupported", OUTBOX_UNSUPPORTED}, {"bad-data", OUTBOX_BAD_DATA},
                                 {"bad-config", OUTBOX_BAD_CONFIG},   {"internal", OUTBOX_INTERNAL}};
    for (const auto& [name, code] : kCodes)
      if (words.Is(name)) return code;
    return otherwise;
  }
  // Removes the request `asked` from the requests that await an answer. Throws if the engine has not made that
  // request, which is a mistake in the script.
  void Take(const std::string& asked) {
    if (asked_.erase(asked) == 0) throw std::invalid_argument("nobody has asked for: " + asked);
  }
  void Read(Words& words) {
    Take("read");
    Reservation reservation;
    reservation.more = words.Is("more");
    reservation.drain_first = words.Is("drain");
    if (words.Is("bytes")) reservation.arena_bytes = static_cast<std::uint64_t>(words.Number());
    if (words.Is("until")) reservation.until = words.Number();
    reservation.token = words.Is("token") ? static_cast<std::uint64_t>(words.Number()) : engine_->token();
    if (words.Is("goes-on")) reservation.rescan = OUTBOX_RESCAN_GOES_ON;
    if (words.Is("ended")) reservation.rescan = OUTBOX_RESCAN_ENDED;
    std::vector<Incoming> events;
    while (!words.AtEnd()) events.push_back(Event(words.Next()));
    Say("batch " + std::to_string(engine_->Reserved(reservation, events)));
  }
  static Incoming Event(const std::string& word) {
    Incoming event{.key_hash = static_cast<std::uint64_t>(word[0]), .has_key = word[0] != '-'};
    for (std::size_t i = 1; i < word.size(); ++i) {
      const auto digit = [&] { return static_cast<std::uint32_t>(word.at(i) - '0'); };
      if (word[i] == '!') {
        event.refused = true;
      } else if (word[i] == '?') {
        event.doubtful = true;
      } else if (word[i] == '~') {
        event.waits = true;
      } else if (word[i] == '<') {
        event.returned = true;
      } else if (word[i] == '-') {
        event.has_key = false;
      } else if (word[i] == '/') {
        ++i;
        event.lane = digit();
      } else if (word[i] == '@') {
        ++i;
        event.policy = static_cast<std::uint16_t>(digit());
      } else {
        event.attempts = digit();
      }
    }
    return event;
  }
  void Report(Words& words) {
    const std::uint32_t stale = words.Is("stale") ? 1 : 0;
    const publisher::Outcome outcome = words.Is("stored")    ? publisher::Outcome::kAcknowledged
                                       : words.Is("unknown") ? publisher::Outcome::kUnknown
                                                             : publisher::Outcome::kRefused;
    if (outcome == publisher::Outcome::kRefused && !words.Is("refused")) return;
    std::vector<publisher::Report> reports;
    for (const Time number : words.Numbers()) {
      const auto e = static_cast<EventIndex>(number);
      reports.push_back({e, (sent_in_.contains(e) ? sent_in_.at(e) : 1) - stale, outcome, 7});
      if (!engine_->Awaits(reports.back())) Say("not awaited " + std::to_string(e));
    }
    engine_->Reported(reports);
  }

  // ---- commands ----

  void Say(const std::string& text) { commands_ += (commands_.empty() ? "" : ", ") + text; }
  static std::string Epoch(std::uint32_t epoch) {
    return (publisher::IsTrial(epoch) ? "trials " : "") + std::to_string(epoch & ~publisher::kTrialEpochs);
  }
  void Add(const command::Reserve& c) {
    static constexpr const char* kModes[] = {"read on", "rewind", "rescan"};
    asked_.insert("read");
    Say(kModes[c.mode] + std::string(" ") + std::to_string(c.rows) + (c.skip_retries ? " without retries" : ""));
  }
  void Add(const command::Publish& c) {
    Say("publish " + Epoch(c.epoch) + ':' + TextOf(c.events));
    for (const EventIndex e : c.events) sent_in_[e] = c.epoch;
  }
  void Add(const command::Reset& c) {
    Say("reset to " + Epoch(c.epoch));
    (publisher::IsTrial(c.epoch) ? trials_reset_ : reset_) = c.epoch;
  }
  void Add(const command::Confirm& c) {
    asked_.insert("confirm");
    Say("confirm" + TextOf(c.events));
  }
  void Add(const command::Fail& c) {
    static const std::map<std::int32_t, const char*> kDispositions = {
        {OUTBOX_RETRY, "retry"}, {OUTBOX_BLOCK, "block"}, {OUTBOX_DEAD, "dead"}, {OUTBOX_DELIVERED, "delivered"}};
    asked_.insert("record");
    std::string text = "record";
    for (const FailedEvent& failed : c.failures) {
      text += ' ' + std::to_string(failed.event) + ' ' + kDispositions.at(failed.disposition);
      if (failed.retry_after == kNotByItself)
        text += " by nobody";
      else if (failed.retry_after > 0)
        text += " in " + std::to_string(failed.retry_after);
      text += failed.error == publisher::kEndsRelays ? " ends-relays" : " error " + std::to_string(failed.error);
      text += " token " + std::to_string(failed.token);
    }
    Say(text);
  }
  void Add(const command::Release& c) {
    asked_.insert("release");
    Say("release" + TextOf(c.events));
  }
  void Add(const command::Mark& c) {
    asked_.insert("mark");
    Say(c.events.empty() ? "unmark" : "mark" + TextOf(c.events));
  }
  void Add(const command::Remove&) {
    asked_.insert("remove");
    Say("remove");
  }
  void Add(const command::Detach& c) { Say("detach" + TextOf(c.events)); }
  void Add(const command::Forget& c) { Say("forget" + TextOf(c.events)); }
  void Add(const command::FreeBatch& c) { Say("free " + std::to_string(c.batch)); }
  void Add(const command::Released& c) {
    static constexpr const char* kReasons[] = {"lost", "hand-over", "stop"};
    Say("released " + std::to_string(c.token) + ' ' + kReasons[static_cast<std::size_t>(c.reason)]);
  }

  // ---- the engine's public state ----

  [[nodiscard]] std::vector<std::pair<const char*, std::string>> State() const {
    const Counters& c = engine_->counters();
    std::vector<std::pair<const char*, std::string>> state;
    for (const auto& [name, count] :
         std::initializer_list<std::pair<const char*, std::uint64_t>>{{"reserved", c.reserved},
                                                                      {"sent", c.sent},
                                                                      {"acknowledged", c.acknowledged},
                                                                      {"confirmed", c.confirmed},
                                                                      {"failed", c.failed},
                                                                      {"dead", c.dead},
                                                                      {"blocked", c.blocked},
                                                                      {"resets", c.resets},
                                                                      {"rescans", c.rescans},
                                                                      {"sent again", c.sent_again},
                                                                      {"leases lost", c.leases_lost},
                                                                      {"undeletable", c.undeletable},
                                                                      {"outstanding", engine_->Outstanding()},
                                                                      {"in flight", engine_->InFlight()},
                                                                      {"lease", engine_->token()}})
      state.emplace_back(name, std::to_string(count));
    for (const auto& [name, flag] :
         std::initializer_list<std::pair<const char*, bool>>{{"owner", engine_->IsOwner()},
                                                             {"first steps", engine_->InFirstSteps()},
                                                             {"slow", engine_->StartsSlowly()},
                                                             {"cannot record", engine_->CannotRecord()},
                                                             {"unrecorded", engine_->FailuresUnrecorded()}})
      state.emplace_back(name, flag ? "yes" : "no");
    for (const auto& [name, time] :
         std::initializer_list<std::pair<const char*, Time>>{{"until", engine_->LeaseUntil()},
                                                             {"owed since", engine_->OwedSince()},
                                                             {"removes nothing since", engine_->RemovesNothingSince()},
                                                             {"due", engine_->NextDeadline()}})
      state.emplace_back(name, Text(time));
    return state;
  }
  // Returns the values of the public state that have changed since the previous line; for a new engine, all values
  // except 0, "no" and "ever".
  std::string Changes() {
    std::string text;
    for (const auto& [name, value] : State()) {
      const auto [known, is_new] = said_.try_emplace(name, value);
      const bool nothing = value == "0" || value == "no" || value == "ever";
      if (is_new ? !nothing : known->second != value) text += (text.empty() ? "" : ", ") + (name + (' ' + value));
      known->second = value;
    }
    return text;
  }

  Settings settings_ = SmallSettings();
  std::unique_ptr<Engine> engine_;
  Time now_ = 0;
  std::uint32_t reset_ = 0, trials_reset_ = 0;
  std::map<EventIndex, std::uint32_t> sent_in_;  // The epoch in which each event was sent last.
  std::string commands_;
  std::set<std::string> asked_;  // The requests of the engine that are not answered yet.
  std::map<std::string, std::string> said_;
};

}  // namespace outbox::engine
