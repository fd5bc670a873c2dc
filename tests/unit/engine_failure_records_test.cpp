// Tests which failures are recorded together, when they are recorded, and which are dropped.
#include "engine/failure_records.hpp"

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

// Runs scripts with FailureRecords. A batch has 3 events, and 6 failed events may wait outside the window.
struct RecordScript {
  Settings settings{.batch_events = 3,
                    .max_awaiting_record = 6,
                    .record_rest = 3,
                    .max_record_rest = 100,
                    .min_backoff = 1,
                    .max_backoff = 3};
  Backoff backoff{1};
  EventTable events;
  FailureRecords records{settings};

  std::string Do(Words& words) {
    std::string answer;
    if (words.Is("fail")) {
      const auto token = static_cast<std::uint64_t>(words.Number());
      const Time count = words.Number();
      const std::int32_t disposition = words.Is("delivered") ? OUTBOX_DELIVERED : OUTBOX_RETRY;
      for (Time n = 0; n < count; ++n) {
        const EventIndex e = AddEvent(events, {EventState::kFailing}, {}, {.token = token});
        records.Add({e, disposition, 0, 0, token});
      }
    } else if (words.Is("take")) {
      if (!records.Take(words.Number())) return "nothing, " + State();
      records.slot().Begin();
    } else if (words.Is("failed")) {
      records.slot().End();
      records.Answered(false);
      records.slot().Fails(words.Number(), backoff, settings);
    } else if (words.Is("refused")) {
      records.slot().End();
      records.Answered(true);
      records.slot().Fails(words.Number(), backoff, settings);
    } else if (words.Is("recorded")) {
      const Time now = words.Number();
      records.slot().End();
      records.Answered(false);
      records.slot().Succeeds();
      for (const FailedEvent& failed : records.recording()) events.Settle(failed.event);
      const bool rest = !words.Is("at-once");
      records.Done(now, rest, words.Is("new-rows"));
    } else if (words.Is("give-up-all")) {
      records.GiveUpAll([this, &answer](EventIndex e) { GiveUp(e, answer); });
    } else if (words.Is("give-up-beyond-a-batch")) {
      records.GiveUpBeyondABatch([this, &answer](EventIndex e) { GiveUp(e, answer); });
    } else if (words.Is("settle")) {
      events.Settle(static_cast<EventIndex>(words.Number()));
    } else if (words.Is("add-again")) {
      const auto e = static_cast<EventIndex>(words.Number());
      records.Add({e, OUTBOX_RETRY, 0, 0, events.Token(e)});
    } else if (words.Is("fail-unlisted")) {
      AddEvent(events, {EventState::kFailing});
    }
    return (answer.empty() ? "" : "given up" + answer + ", ") + State();
  }
  void GiveUp(EventIndex e, std::string& answer) {
    events.Settle(e);
    answer += ' ' + std::to_string(e);
  }
  [[nodiscard]] std::string State() const {
    std::vector<EventIndex> recording;
    for (const FailedEvent& failed : records.recording()) recording.push_back(failed.event);
    return "recording" + TextOf(recording) + ", " + std::to_string(records.size()) + " in all, " +
           std::to_string(records.BesideWindow()) + " beside" + (records.AtLeastABatch() ? ", a batch" : "") +
           (records.Unrecorded() ? ", unrecorded" : "") + (records.CannotRecord() ? ", sending stops" : "") +
           ", next " + Text(records.NextCall());
  }
  [[nodiscard]] std::string Broken() const { return records.FindBrokenInvariant(events); }
};

TEST_CASE("failures are recorded in their order, a batch at a time and under one token") {
  CHECK(Settings{}.max_awaiting_record == 0);
  Play<RecordScript>({
      {"none", {{"take 0", "nothing, recording, 0 in all, 0 beside, next ever"}}},
      {"less than a batch, and a batch",
       {{"fail 1 2", "recording, 2 in all, 2 beside, next 0"},
        {"fail 1 1", "recording, 3 in all, 3 beside, a batch, next 0"},
        {"take 10", "recording 0 1 2, 3 in all, 3 beside, a batch, next ever"},
        {"recorded 10", "recording, 0 in all, 0 beside, next ever"}}},
      {"more than a batch, and more than may wait beside the window",
       {{"fail 1 7", "recording, 7 in all, 6 beside, a batch, next 0"},
        {"take 0", "recording 0 1 2, 7 in all, 6 beside, a batch, next ever"},
        {"take 0", "nothing, recording 0 1 2, 7 in all, 6 beside, a batch, next ever"},
        {"recorded 0", "recording, 4 in all, 4 beside, a batch, next 0"},
        {"take 0", "recording 3 4 5, 4 in all, 4 beside, a batch, next ever"},
        {"recorded 0", "recording, 1 in all, 1 beside, next 0"},
        {"take 0", "recording 6, 1 in all, 1 beside, next ever"}}},
      {"two tokens",
       {{"fail 1 1", "recording, 1 in all, 1 beside, next 0"},
        {"fail 2 1", "recording, 2 in all, 2 beside, next 0"},
        {"fail 1 1", "recording, 3 in all, 3 beside, a batch, next 0"},
        {"take 0", "recording 0, 3 in all, 3 beside, a batch, next ever"},
        {"recorded 0", "recording, 2 in all, 2 beside, next 0"},
        {"take 0", "recording 1, 2 in all, 2 beside, next ever"}}},
      {"a call that fails is repeated with the same failures",
       {{"fail 1 1", "recording, 1 in all, 1 beside, next 0"},
        {"take 10", "recording 0, 1 in all, 1 beside, next ever"},
        {"fail 1 1", "recording 0, 2 in all, 2 beside, next ever"},
        {"failed 20", "recording 0, 2 in all, 2 beside, next 21"},
        {"take 20", "nothing, recording 0, 2 in all, 2 beside, next 21"},
        {"take 21", "recording 0, 2 in all, 2 beside, next ever"},
        {"failed 30", "recording 0, 2 in all, 2 beside, next 32"}}},
  });
}

TEST_CASE("the pause after a record is as long as the record took, or three times as long while new rows wait") {
  CHECK(Settings{}.record_rest == 3);
  CHECK(Settings{}.max_record_rest == kSecond);
  Play<RecordScript>({
      {"no new rows",
       {{"fail 1 4", "recording, 4 in all, 4 beside, a batch, next 0"},
        {"take 100", "recording 0 1 2, 4 in all, 4 beside, a batch, next ever"},
        {"recorded 110", "recording, 1 in all, 1 beside, next 120"},
        {"take 119", "nothing, recording, 1 in all, 1 beside, next 120"},
        {"take 120", "recording 3, 1 in all, 1 beside, next ever"}}},
      {"new rows, and room for exactly another batch",
       {{"fail 1 6", "recording, 6 in all, 6 beside, a batch, next 0"},
        {"take 100", "recording 0 1 2, 6 in all, 6 beside, a batch, next ever"},
        {"recorded 110 new-rows", "recording, 3 in all, 3 beside, a batch, next 140"}}},
      {"new rows, and no room for another batch",
       {{"fail 1 7", "recording, 7 in all, 6 beside, a batch, next 0"},
        {"take 100", "recording 0 1 2, 7 in all, 6 beside, a batch, next ever"},
        {"recorded 110 new-rows", "recording, 4 in all, 4 beside, a batch, next 120"}}},
      {"the longest rest",
       {{"fail 1 4", "recording, 4 in all, 4 beside, a batch, next 0"},
        {"take 100", "recording 0 1 2, 4 in all, 4 beside, a batch, next ever"},
        {"recorded 201", "recording, 1 in all, 1 beside, next 301"}}},
      {"no rest, as where the shard is drained",
       {{"fail 1 4", "recording, 4 in all, 4 beside, a batch, next 0"},
        {"take 100", "recording 0 1 2, 4 in all, 4 beside, a batch, next ever"},
        {"recorded 110 at-once", "recording, 1 in all, 1 beside, next 0"}}},
      {"a repeated call: its last attempt counts",
       {{"fail 1 4", "recording, 4 in all, 4 beside, a batch, next 0"},
        {"take 100", "recording 0 1 2, 4 in all, 4 beside, a batch, next ever"},
        {"failed 150", "recording 0 1 2, 4 in all, 4 beside, a batch, next 151"},
        {"take 160", "recording 0 1 2, 4 in all, 4 beside, a batch, next ever"},
        {"recorded 165", "recording, 1 in all, 1 beside, next 170"}}},
  });
}

TEST_CASE("a refused record of a delivered event stops sending") {
  Play<RecordScript>({
      {"a failure",
       {{"fail 1 1", "recording, 1 in all, 1 beside, next 0"},
        {"take 0", "recording 0, 1 in all, 1 beside, next ever"},
        {"refused 10", "recording 0, 1 in all, 1 beside, unrecorded, next 11"},
        {"take 11", "recording 0, 1 in all, 1 beside, unrecorded, next ever"},
        {"recorded 11", "recording, 0 in all, 0 beside, next ever"}}},
      {"a failure and a delivered event",
       {{"fail 1 1", "recording, 1 in all, 1 beside, next 0"},
        {"fail 1 1 delivered", "recording, 2 in all, 2 beside, next 0"},
        {"take 0", "recording 0 1, 2 in all, 2 beside, next ever"},
        {"refused 10", "recording 0 1, 2 in all, 2 beside, unrecorded, sending stops, next 11"},
        {"take 11", "recording 0 1, 2 in all, 2 beside, unrecorded, sending stops, next ever"},
        {"failed 20", "recording 0 1, 2 in all, 2 beside, next 22"}}},
      {"a delivered event that is not in the call",
       {{"fail 1 1", "recording, 1 in all, 1 beside, next 0"},
        {"fail 2 1 delivered", "recording, 2 in all, 2 beside, next 0"},
        {"take 0", "recording 0, 2 in all, 2 beside, next ever"},
        {"refused 10", "recording 0, 2 in all, 2 beside, unrecorded, next 11"}}},
  });
}

TEST_CASE("failures are dropped with the lease, and those beyond one batch when the relay stops") {
  Play<RecordScript>({
      {"a lost lease: what is being recorded is answered later",
       {{"fail 1 3 delivered", "recording, 3 in all, 3 beside, a batch, next 0"},
        {"fail 1 2", "recording, 5 in all, 5 beside, a batch, next 0"},
        {"take 0", "recording 0 1 2, 5 in all, 5 beside, a batch, next ever"},
        {"refused 0", "recording 0 1 2, 5 in all, 5 beside, a batch, unrecorded, sending stops, next 1"},
        {"give-up-all", "given up 3 4, recording 0 1 2, 3 in all, 3 beside, a batch, next 1"}}},
      {"a drain with exactly a batch",
       {{"fail 1 3", "recording, 3 in all, 3 beside, a batch, next 0"},
        {"give-up-beyond-a-batch", "recording, 3 in all, 3 beside, a batch, next 0"}}},
      {"a drain with more: what was delivered is kept",
       {{"fail 1 4", "recording, 4 in all, 4 beside, a batch, next 0"},
        {"fail 1 1 delivered", "recording, 5 in all, 5 beside, a batch, next 0"},
        {"fail 1 1", "recording, 6 in all, 6 beside, a batch, next 0"},
        {"give-up-beyond-a-batch", "given up 3 5, recording, 4 in all, 4 beside, a batch, next 0"},
        {"take 0", "recording 0 1 2, 4 in all, 4 beside, a batch, next ever"},
        {"recorded 0", "recording, 1 in all, 1 beside, next 0"},
        {"take 0", "recording 4, 1 in all, 1 beside, next ever"}}},
      {"a drain with less",
       {{"fail 1 1", "recording, 1 in all, 1 beside, next 0"},
        {"give-up-beyond-a-batch", "recording, 1 in all, 1 beside, next 0"}}},
  });
}

TEST_CASE("a broken failure record is found") {
  const std::string twice =
      " !! failure records: an event is recorded twice, without a failure, or under another token";
  Play<RecordScript>({
      {"an event that waits twice",
       {{"fail 1 1", "recording, 1 in all, 1 beside, next 0"},
        {"add-again 0", "recording, 2 in all, 2 beside, next 0" + twice}}},
      {"an event that waits and is recorded",
       {{"fail 1 1", "recording, 1 in all, 1 beside, next 0"},
        {"take 0", "recording 0, 1 in all, 1 beside, next ever"},
        {"add-again 0", "recording 0, 2 in all, 2 beside, next ever" + twice}}},
      {"an event that has not failed",
       {{"fail 1 1", "recording, 1 in all, 1 beside, next 0"},
        {"settle 0", "recording, 1 in all, 1 beside, next 0" + twice}}},
      {"a failed event that is not listed",
       {{"fail-unlisted",
         "recording, 0 in all, 0 beside, next ever !! failure records: a failed event is not recorded"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
