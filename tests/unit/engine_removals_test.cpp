// Tests when the rows of events that were recorded as delivered are finally removed.
#include "engine/removals.hpp"

#include "engine_script.hpp"

namespace outbox::engine {
namespace {

struct RemovalScript {
  Settings settings{.removal_interval = 60 * kSecond};
  Removals removals{settings};

  std::string Do(Words& words) {
    if (words.Is("never")) settings.removal_interval = kForever;
    if (words.Is("lease")) {
      removals.LeaseBegins(words.Number());
    } else if (words.Is("recorded")) {
      const Time now = words.Number();
      removals.Recorded(now, words.Number());
    } else if (words.Is("take")) {
      if (!removals.Take(words.Number())) return "no";
      removals.slot().Begin();
      return "yes, next " + Text(removals.NextCall());
    } else if (words.Is("answered")) {
      const Time now = words.Number();
      removals.Answered(now, !words.Is("unsupported"));
    }
    return "next " + Text(removals.NextCall());
  }
  [[nodiscard]] static std::string Broken() { return {}; }
};

TEST_CASE("rows that were recorded as delivered are removed when they are due, and at an interval") {
  Play<RemovalScript>({
      {"no lease yet", {{"", "next ever"}, {"take 1000000000", "no"}}},
      {"a lease",
       {{"lease 5000000", "next 65000000"},
        {"take 64999999", "no"},
        {"take 65000000", "yes, next ever"},
        {"take 99000000", "no"},
        {"answered 66000000", "next 126000000"},
        {"take 125999999", "no"},
        {"take 126000000", "yes, next ever"}}},
      {"a record that is due before the interval ends: a second later",
       {{"lease 0", "next 60000000"},
        {"recorded 1000000 10000000", "next 12000000"},
        {"take 11999999", "no"},
        {"take 12000000", "yes, next ever"},
        {"answered 12000000", "next 72000000"}}},
      {"a record that is due after the interval ends",
       {{"lease 0", "next 60000000"}, {"recorded 1000000 80000000", "next 60000000"}}},
      {"a record during the call",
       {{"lease 0", "next 60000000"},
        {"take 60000000", "yes, next ever"},
        {"recorded 61000000 10000000", "next ever"},
        {"answered 71999999", "next 72000000"}}},
      {"a record that was due during the call: the call may have been too early, and the interval finds it",
       {{"lease 0", "next 60000000"},
        {"take 60000000", "yes, next ever"},
        {"recorded 61000000 10000000", "next ever"},
        {"answered 72000000", "next 132000000"}}},
      {"a record that is due long after the call: the interval is before it",
       {{"lease 0", "next 60000000"},
        {"recorded 0 200000000", "next 60000000"},
        {"take 60000000", "yes, next ever"},
        {"answered 60000000", "next 120000000"}}},
      {"two records: the first one is next, and the last one is remembered",
       {{"lease 0", "next 60000000"},
        {"recorded 0 10000000", "next 11000000"},
        {"recorded 0 20000000", "next 11000000"},
        {"take 11000000", "yes, next ever"},
        {"answered 11000000", "next 21000000"}}},
      {"a storage that does not support it",
       {{"lease 0", "next 60000000"},
        {"take 60000000", "yes, next ever"},
        {"recorded 60000000 10000000", "next ever"},
        {"answered 60000000 unsupported", "next ever"}}},
      {"no interval", {{"never lease 0", "next ever"}, {"recorded 0 10000000", "next 11000000"}}},
  });
  CHECK(Settings{}.removal_interval == kForever);
}

}  // namespace
}  // namespace outbox::engine
