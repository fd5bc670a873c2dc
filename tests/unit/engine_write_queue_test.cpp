// Tests the pauses after a failure, and the calls of one kind of write: when each call is made, and which elements it
// contains.
#include "engine/write_queue.hpp"

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

TEST_CASE("a pause doubles with each failure up to its cap") {
  struct Row {
    std::uint32_t failures;
    Time base, cap, longest;
  };
  const std::vector<Row> rows = {
      {1, 400, 5000, 400},
      {2, 400, 5000, 800},
      {3, 400, 5000, 1600},
      {4, 400, 5000, 3200},
      {5, 400, 5000, 5000},
      {6, 400, 5000, 5000},
      {4'000'000'000u, 1, 8, 8},
      {1, 400, 400, 400},
      {2, 400, 799, 799},
      {2, 400, 800, 800},
      {2, 400, 801, 800},
      {1, 400, 399, 399},
      {3, 400, 1599, 1599},
      {3, 400, 1600, 1600},
      {3, 400, 1601, 1600},
      {0, 400, 5000, 400},
      {64, kSecond, 300 * kSecond, 300 * kSecond},
  };
  for (const Row& row : rows) {
    INFO(row.failures << " failures, base " << row.base << ", cap " << row.cap);
    Backoff backoff(1);
    Time shortest = kForever, longest = 0;
    for (int i = 0; i < 10'000; ++i) {
      const Time pause = backoff.After(row.failures, row.base, row.cap);
      shortest = std::min(shortest, pause);
      longest = std::max(longest, pause);
    }
    CHECK(longest <= row.longest);
    CHECK(longest >= row.longest - row.longest / 200);
    CHECK(shortest >= row.longest - row.longest / 4);
    CHECK(shortest <= row.longest - row.longest / 4 + row.longest / 200);
  }
}

TEST_CASE("a pause of less than four microseconds is not shortened") {
  Backoff backoff(1);
  for (int i = 0; i < 100; ++i) {
    CHECK(backoff.After(1, 1, 3) == 1);
    CHECK(backoff.After(2, 1, 3) == 2);
    CHECK(backoff.After(3, 1, 3) == 3);
  }
  bool shortened = false;
  for (int i = 0; i < 100; ++i) shortened = backoff.After(1, 4, 4) == 3 || shortened;
  CHECK(shortened);
}

// The expected values are the first outputs of SplitMix64 for the seed 1234567, as published with the algorithm.
TEST_CASE("the pauses are a function of the seed") {
  constexpr Time kWait = Time{1} << 60;
  constexpr std::uint64_t kOutputs[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u};
  Backoff backoff(1234567);
  for (const std::uint64_t output : kOutputs)
    CHECK(backoff.After(1, kWait, kWait) == kWait - static_cast<Time>(output % (kWait / 4 + 1)));
}

// Runs scripts with WriteQueue. Elements are numbers, the token of an element is its number divided by ten, and the
// pauses are 1, 2 and 3 microseconds.
struct QueueScript {
  Settings settings{.min_backoff = 1, .max_backoff = 3};
  Backoff backoff{1};
  WriteQueue<Time> queue;

  std::string Do(Words& words) {
    if (words.Is("add")) {
      for (const Time element : words.Numbers()) queue.waiting.push_back(element);
    } else if (words.Is("ready")) {
      return queue.slot.Ready(words.Number()) ? "yes" : "no";
    } else if (words.Is("take")) {
      queue.Take(static_cast<std::size_t>(words.Number()));
    } else if (words.Is("take-one-token")) {
      queue.TakeUnderOneToken(static_cast<std::size_t>(words.Number()), [](Time element) { return element / 10; });
    } else if (words.Is("begin")) {
      queue.slot.Begin();
    } else if (words.Is("failed")) {
      queue.slot.End();
      queue.slot.Fails(words.Number(), backoff, settings);
    } else if (words.Is("succeeded")) {
      queue.slot.End();
      queue.slot.Succeeds();
    } else if (words.Is("rest-until")) {
      queue.slot.RestUntil(words.Number());
    } else if (words.Is("done")) {
      queue.writing.clear();
    }
    return "waiting" + TextOf(queue.waiting) + ", writing" + TextOf(queue.writing) + ", size " +
           std::to_string(queue.size()) + (queue.empty() ? ", empty" : "") + (queue.slot.busy() ? ", busy" : "") +
           ", next " + Text(queue.NextCall());
  }
  [[nodiscard]] static std::string Broken() { return {}; }
};

TEST_CASE("a write takes waiting elements of one token, up to its limit") {
  Play<QueueScript>({
      {"nothing waits",
       {{"take-one-token 3", "waiting, writing, size 0, empty, next ever"},
        {"take 0", "waiting, writing, size 0, empty, next ever"}}},
      {"more than it may take",
       {{"add 10 11 12 13", "waiting 10 11 12 13, writing, size 4, next 0"},
        {"take-one-token 3", "waiting 13, writing 10 11 12, size 4, next 0"},
        {"done", "waiting 13, writing, size 1, next 0"},
        {"take-one-token 3", "waiting, writing 13, size 1, next 0"},
        {"done", "waiting, writing, size 0, empty, next ever"}}},
      {"exactly what it may take",
       {{"add 10 11 12", "waiting 10 11 12, writing, size 3, next 0"},
        {"take-one-token 3", "waiting, writing 10 11 12, size 3, next 0"}}},
      {"another token in the middle",
       {{"add 10 11 20 12", "waiting 10 11 20 12, writing, size 4, next 0"},
        {"take-one-token 3", "waiting 20 12, writing 10 11, size 4, next 0"},
        {"done", "waiting 20 12, writing, size 2, next 0"},
        {"take-one-token 3", "waiting 12, writing 20, size 2, next 0"}}},
      {"what is taken without regard to its token",
       {{"add 10 20 30", "waiting 10 20 30, writing, size 3, next 0"},
        {"take 2", "waiting 30, writing 10 20, size 3, next 0"}}},
  });
}

TEST_CASE("one call is under way at a time, and a failed one is repeated after a pause") {
  Play<QueueScript>({
      {"failures in a row, and a success",
       {{"add 10", "waiting 10, writing, size 1, next 0"},
        {"ready 0", "yes"},
        {"take 1", "waiting, writing 10, size 1, next 0"},
        {"begin", "waiting, writing 10, size 1, busy, next ever"},
        {"ready 0", "no"},
        {"ready 1000", "no"},
        {"failed 100", "waiting, writing 10, size 1, next 101"},
        {"ready 100", "no"},
        {"ready 101", "yes"},
        {"begin", "waiting, writing 10, size 1, busy, next ever"},
        {"failed 200", "waiting, writing 10, size 1, next 202"},
        {"ready 201", "no"},
        {"ready 202", "yes"},
        {"begin", "waiting, writing 10, size 1, busy, next ever"},
        {"failed 300", "waiting, writing 10, size 1, next 303"},
        {"begin", "waiting, writing 10, size 1, busy, next ever"},
        {"failed 400", "waiting, writing 10, size 1, next 403"},
        {"begin", "waiting, writing 10, size 1, busy, next ever"},
        {"succeeded", "waiting, writing 10, size 1, next 403"},
        {"begin", "waiting, writing 10, size 1, busy, next ever"},
        {"failed 500", "waiting, writing 10, size 1, next 501"}}},
      {"a rest without a failure",
       {{"add 10", "waiting 10, writing, size 1, next 0"},
        {"rest-until 50", "waiting 10, writing, size 1, next 50"},
        {"ready 49", "no"},
        {"ready 50", "yes"},
        {"begin", "waiting 10, writing, size 1, busy, next ever"},
        {"failed 60", "waiting 10, writing, size 1, next 61"}}},
  });
}

}  // namespace
}  // namespace outbox::engine
