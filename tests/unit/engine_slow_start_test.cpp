// Tests the slow start: its steps, its end, and the states of the poison mark.
#include "engine/slow_start.hpp"

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

// Runs scripts with SlowStart. The slow start ends after eight delivered events, a batch has 6 events, and an event
// that three owners have marked is given up by the fourth owner.
struct SlowScript {
  Settings settings{
      .batch_events = 6, .window_events = 8, .min_backoff = 1, .max_backoff = 3, .first_steps = 1, .most_owners = 3};
  Backoff backoff{1};
  SlowStart start{settings};
  std::uint32_t outstanding = 0;

  std::string Do(Words& words) {
    std::string answer;
    if (words.Is("batches-of-one")) settings.batch_events = 1;
    if (words.Is("two-first-steps")) settings.first_steps = 2;
    if (words.Is("lease")) {  // Arguments: [slow] [renewed]
      const bool slow = words.Is("slow");
      start.LeaseBegins(slow, words.Is("renewed"));
    } else if (words.Is("step")) {  // Arguments: [nothing-waits] OUTSTANDING QUEUED
      const bool nothing_waits = words.Is("nothing-waits");
      outstanding = static_cast<std::uint32_t>(words.Number());
      start.StepBegins(nothing_waits, outstanding, static_cast<std::size_t>(words.Number()));
    } else if (words.Is("step-ends")) {
      outstanding = 0;
      start.StepEnds(!words.Is("no-owner"));
    } else if (words.Is("break")) {
      start.Break(words.Is("clears"));
    } else if (words.Is("lease-lost")) {
      start.LeaseIsLost();
    } else if (words.Is("released")) {
      start.Released();
    } else if (words.Is("take")) {  // Arguments: NOW [queued]
      const Time now = words.Number();
      if (!start.TakeMark(now, words.Is("queued"))) return "nothing, " + State();
      answer = start.Clears() ? "clear, " : "mark, ";
      start.MarkBegins();
    } else if (words.Is("marked")) {  // Arguments: NOW OWNERS [queued] [failed | lost] [known-lost]
      const Time now = words.Number();
      MarkAnswer mark;
      mark.owners = static_cast<std::uint32_t>(words.Number());
      mark.queued = words.Is("queued");
      if (words.Is("failed")) mark.code = OUTBOX_UNAVAILABLE;
      if (words.Is("lost")) mark.code = OUTBOX_LEASE_LOST;
      mark.lease_ends = words.Is("known-lost");
      if (start.Marked(mark, now, backoff)) answer = "given up, ";
    } else if (words.Is("outstanding")) {
      outstanding = static_cast<std::uint32_t>(words.Number());
    } else if (words.Is("end-call")) {
      start.slot().End();
    }
    return answer + State();
  }
  [[nodiscard]] std::string State() const {
    std::string text = start.active() ? "slow " + std::to_string(start.rows()) : "rows " + std::to_string(start.rows());
    if (start.InFirstSteps()) text += " first";
    text += ", mark " + std::string(TransitionCounts<MarkState>::NameOf(start.mark().state()));
    if (start.HoldsSending()) text += ", no sending";
    if (start.HoldsReading(0)) text += ", no reading";
    if (start.HoldsReading(1)) text += ", reads alone";
    if (start.NextCall(true) != kForever) text += ", next " + Text(start.NextCall(true));
    if (start.NextCall(false) != kForever) text += ", next without events " + Text(start.NextCall(false));
    return text;
  }
  [[nodiscard]] std::string Broken() const { return start.FindBrokenInvariant(outstanding); }
};

const Line kSlow{"lease slow", "slow 1 first, mark none, reads alone"};
const Line kWanted{"step 1 1", "slow 2 first, mark wanted, no sending, reads alone, next 0"};
const Line kWrite{"take 0 queued", "mark, slow 2 first, mark writing, no sending, no reading, reads alone"};
const Line kSet{"marked 0 1 queued", "slow 2 first, mark set, reads alone"};
const Line kFirstEnds{"step-ends", "slow 2, mark none, reads alone"};

TEST_CASE("the steps of a slow start double until a window of events is delivered") {
  CHECK(Settings{}.most_owners == 3);
  Play<SlowScript>({
      {"no lease", {{"new", "rows 6, mark none ?? new"}}},
      {"no slow start",
       {{"lease", "rows 6, mark none"}, {"step-ends", "rows 6, mark none"}, {"break clears", "rows 6, mark none"}}},
      {"steps of one, two, four and five events: eight in all",
       {kSlow,
        kWanted,
        kWrite,
        kSet,
        kFirstEnds,
        {"step 2 2", "slow 4, mark none, reads alone"},
        {"step-ends", "slow 4, mark none, reads alone"},
        {"step 4 4", "slow 6, mark none, reads alone"},
        {"step-ends", "slow 6, mark none, reads alone"},
        {"step 1 1", "slow 6, mark none, reads alone"},
        {"step-ends", "rows 6, mark clearing, next 0, next without events 0"},
        {"take 0", "clear, rows 6, mark clearing"},
        {"marked 0 0", "rows 6, mark none"},
        {"step-ends", "rows 6, mark none"}}},
      {"a step that brings more than are left",
       {kSlow,
        {"step 7 7", "slow 2 first, mark none, reads alone"},
        {"step-ends", "slow 2, mark none, reads alone"},
        {"step 5 5", "slow 4, mark none, reads alone"},
        {"step-ends", "rows 6, mark clearing, next 0, next without events 0"}}},
      {"no rows wait: it is over",
       {kSlow,
        {"step nothing-waits 0 0", "slow 2 first, mark none, reads alone"},
        {"step-ends", "rows 6, mark clearing, next 0, next without events 0"}}},
      {"batches of one event",
       {{"batches-of-one lease slow", "slow 1 first, mark none, reads alone"},
        {"step 1 0", "slow 1 first, mark none, reads alone"},
        {"step-ends", "slow 1, mark none, reads alone"},
        {"step nothing-waits 0 0", "slow 1, mark none, reads alone"},
        {"step-ends", "rows 1, mark clearing, next 0, next without events 0"}}},
      {"a shard that is drained is not done",
       {kSlow,
        {"step nothing-waits 0 0", "slow 2 first, mark none, reads alone"},
        {"step-ends no-owner", "slow 2, mark none, reads alone"},
        {"step-ends", "rows 6, mark clearing, next 0, next without events 0"}}},
      {"a step of one that was dropped or is not alone is not marked",
       {kSlow, {"step 1 0", "slow 2 first, mark none, reads alone"}}},
      {"only the first step is marked",
       {kSlow, kWanted, kWrite, kSet, kFirstEnds, {"step 2 1", "slow 4, mark none, reads alone"}}},
      {"the end of a step that has not begun", {kSlow, {"step-ends", "slow 1 first, mark none, reads alone"}}},
      {"other shards wait for the first two steps",
       {{"two-first-steps lease slow", "slow 1 first, mark none, reads alone"},
        {"step 1 0", "slow 2 first, mark none, reads alone"},
        {"step-ends", "slow 2 first, mark none, reads alone"},
        {"step 2 2", "slow 4 first, mark none, reads alone"},
        {"step-ends", "slow 4, mark none, reads alone"},
        {"lease slow", "slow 1 first, mark none, reads alone"},
        {"step 1 0", "slow 2 first, mark none, reads alone"},
        {"step-ends", "slow 2 first, mark none, reads alone"}}},
      {"they wait no longer than for one step of a shard that has nothing",
       {{"two-first-steps lease slow", "slow 1 first, mark none, reads alone"},
        {"step nothing-waits 0 0", "slow 2 first, mark none, reads alone"},
        {"step-ends", "rows 6, mark clearing, next 0, next without events 0"}}},
      {"a renewed lease: the steps begin again, and other shards wait as before",
       {{"two-first-steps lease slow", "slow 1 first, mark none, reads alone"},
        {"lease slow renewed", "slow 1 first, mark none, reads alone"},
        {"step 1 0", "slow 2 first, mark none, reads alone"},
        {"lease slow renewed", "slow 1 first, mark none, reads alone"},
        {"step 1 0", "slow 2 first, mark none, reads alone"},
        {"step-ends", "slow 2 first, mark none, reads alone"},
        {"step 2 2", "slow 4 first, mark none, reads alone"},
        {"step-ends", "slow 4, mark none, reads alone"},
        {"lease slow renewed", "slow 1, mark none, reads alone"}}},
      {"a new lease begins it again, or ends it",
       {kSlow,
        {"step 2 2", "slow 2 first, mark none, reads alone"},
        {"step-ends", "slow 2, mark none, reads alone"},
        {"lease slow", "slow 1 first, mark none, reads alone"},
        {"lease", "rows 6, mark none"}}},
  });
}

TEST_CASE("a reset begins the steps again, and only an outage clears the mark") {
  Play<SlowScript>({
      {"the events that are left are counted again",
       {kSlow,
        {"step 7 7", "slow 2 first, mark none, reads alone"},
        {"step-ends", "slow 2, mark none, reads alone"},
        {"break", "slow 1, mark none, reads alone"},
        {"step 2 2", "slow 2, mark none, reads alone"},
        {"step-ends", "slow 2, mark none, reads alone"},
        {"step 5 5", "slow 4, mark none, reads alone"},
        {"step-ends", "slow 4, mark none, reads alone"},
        {"step 1 1", "slow 6, mark none, reads alone"},
        {"step-ends", "rows 6, mark clearing, next 0, next without events 0"}}},
      {"a reset while the mark is set", {kSlow, kWanted, kWrite, kSet, {"break", "slow 1, mark none, reads alone"}}},
      {"an outage while the mark is set: nothing is read before it is removed",
       {kSlow,
        kWanted,
        kWrite,
        kSet,
        {"break clears", "slow 1, mark clearing, no reading, reads alone, next 0, next without events 0"},
        {"take 0", "clear, slow 1, mark clearing, no reading, reads alone"},
        {"marked 0 0", "slow 1, mark none, reads alone"}}},
      {"an outage while the mark is wanted", {kSlow, kWanted, {"break clears", "slow 1, mark none, reads alone"}}},
      {"an outage while the mark is written",
       {kSlow,
        kWanted,
        kWrite,
        {"break clears", "slow 1, mark writing, no sending, no reading, reads alone"},
        {"marked 0 1", "slow 1, mark clearing, no reading, reads alone, next 0, next without events 0"}}},
  });
}

TEST_CASE("the mark is written before its event is sent") {
  Play<SlowScript>({
      {"the event is dropped first", {kSlow, kWanted, {"take 0", "nothing, slow 2 first, mark none, reads alone"}}},
      {"the write fails: repeated after a pause that doubles",
       {kSlow,
        kWanted,
        kWrite,
        {"take 0 queued", "nothing, slow 2 first, mark writing, no sending, no reading, reads alone"},
        {"marked 100 0 queued failed", "slow 2 first, mark wanted, no sending, reads alone, next 101"},
        {"take 100 queued", "nothing, slow 2 first, mark wanted, no sending, reads alone, next 101"},
        {"take 101 queued", "mark, slow 2 first, mark writing, no sending, no reading, reads alone"},
        {"marked 200 0 queued failed", "slow 2 first, mark wanted, no sending, reads alone, next 202"},
        {"take 202 queued", "mark, slow 2 first, mark writing, no sending, no reading, reads alone"},
        {"marked 300 1 queued", "slow 2 first, mark set, reads alone"},
        {"step-ends", "slow 2, mark none, reads alone"},
        {"break", "slow 1, mark none, reads alone"},
        {"step 1 1", "slow 2, mark wanted, no sending, reads alone, next 202"},
        {"take 400 queued", "mark, slow 2, mark writing, no sending, no reading, reads alone"},
        {"marked 400 0 queued failed", "slow 2, mark wanted, no sending, reads alone, next 401"}}},
      {"exactly as many owners as may have marked it",
       {kSlow, kWanted, kWrite, {"marked 0 3 queued", "slow 2 first, mark set, reads alone"}}},
      {"one owner more",
       {kSlow,
        kWanted,
        kWrite,
        {"marked 0 4 queued",
         "given up, slow 2 first, mark clearing, no reading, reads alone, next 0, next without events 0"}}},
      {"one owner more, and the event was dropped meanwhile",
       {kSlow,
        kWanted,
        kWrite,
        {"marked 0 4", "slow 2 first, mark clearing, no reading, reads alone, next 0, next without events 0"}}},
      {"the removal fails",
       {kSlow,
        kWanted,
        kWrite,
        {"marked 0 1", "slow 2 first, mark clearing, no reading, reads alone, next 0, next without events 0"},
        {"take 0", "clear, slow 2 first, mark clearing, no reading, reads alone"},
        {"take 5", "nothing, slow 2 first, mark clearing, no reading, reads alone"},
        {"marked 10 0 failed", "slow 2 first, mark clearing, no reading, reads alone, next 11, next without events 11"},
        {"step-ends", "slow 2, mark clearing, no reading, reads alone, next 11, next without events 11"},
        {"take 11 queued", "clear, slow 2, mark clearing, no reading, reads alone"},
        {"marked 11 9 queued", "slow 2, mark none, reads alone"}}},
      {"a slow start that is over while the mark is removed waits for that",
       {kSlow,
        kWanted,
        kWrite,
        {"marked 0 1", "slow 2 first, mark clearing, no reading, reads alone, next 0, next without events 0"},
        {"step nothing-waits 0 0",
         "slow 4 first, mark clearing, no reading, reads alone, next 0, next without events 0"},
        {"step-ends", "slow 4, mark clearing, no reading, reads alone, next 0, next without events 0"}}},
  });
}

TEST_CASE("the mark stays in the storage when the lease is lost") {
  Play<SlowScript>({
      {"wanted", {kSlow, kWanted, {"lease-lost", "slow 2 first, mark none, reads alone"}}},
      {"set", {kSlow, kWanted, kWrite, kSet, {"lease-lost", "slow 2 first, mark none, reads alone"}}},
      {"being written: it is answered yet",
       {kSlow,
        kWanted,
        kWrite,
        {"lease-lost", "slow 2 first, mark writing, no sending, no reading, reads alone"},
        {"marked 0 4 queued known-lost", "slow 2 first, mark none, reads alone"}}},
      {"being written, and the call fails",
       {kSlow, kWanted, kWrite, {"marked 0 4 queued failed known-lost", "slow 2 first, mark none, reads alone"}}},
      {"the storage says so",
       {kSlow, kWanted, kWrite, {"marked 0 4 queued lost", "slow 2 first, mark none, reads alone"}}},
      {"being removed",
       {kSlow,
        kWanted,
        kWrite,
        kSet,
        {"break clears", "slow 1, mark clearing, no reading, reads alone, next 0, next without events 0"},
        {"lease-lost", "slow 1, mark none, reads alone"}}},
      {"released", {kSlow, kWanted, kWrite, kSet, {"released", "slow 2 first, mark none, reads alone"}}},
  });
}

TEST_CASE("a broken slow start is found") {
  Play<SlowScript>({
      {"a mark that is written by nobody",
       {kSlow,
        kWanted,
        kWrite,
        {"end-call",
         "slow 2 first, mark writing, no sending, no reading, reads alone !! slow start: the mark is being written, "
         "but no write is under way"}}},
      {"a mark outside of a slow start",
       {kSlow,
        kWanted,
        {"lease",
         "rows 6, mark wanted, no sending, next 0 !! slow start: an event is marked outside of a slow start"}}},
      {"a set mark outside of a slow start",
       {kSlow,
        kWanted,
        kWrite,
        kSet,
        {"lease", "rows 6, mark set !! slow start: an event is marked outside of a slow start"}}},
      {"a mark without an event",
       {kSlow,
        kWanted,
        {"outstanding 0",
         "slow 2 first, mark wanted, no sending, reads alone, next 0 !! slow start: the event to be marked is "
         "missing"}}},
      {"a transition that is not in the chart",
       {kSlow,
        kWanted,
        kWrite,
        kSet,
        {"break", "slow 1, mark none, reads alone"},
        {"step 1 1", "slow 2, mark wanted, no sending, reads alone, next 0"},
        {"take 0 queued", "mark, slow 2, mark writing, no sending, no reading, reads alone"},
        {"step 1 1", "slow 4, mark writing, no sending, no reading, reads alone"},
        {"break", "slow 1, mark writing, no sending, no reading, reads alone"},
        {"marked 0 1 queued", "slow 1, mark set, reads alone"},
        {"step 1 1",
         "slow 2, mark wanted, no sending, reads alone, next 0 !! poison mark: set -> wanted is no transition"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
