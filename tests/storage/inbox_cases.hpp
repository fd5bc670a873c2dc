// Tests of the inbox for every database, through SOCI.
#pragma once

#include <outbox/inbox/inbox.hpp>

#include <span>
#include <thread>
#include <vector>

#include "tests/catch.hpp"

namespace outbox::testing {

// REQUIRES: Database has soci::session Open(), auto* Native(session), Script(session, sql) and Table(), and
// WaitUntilSomebodyWaits() if several transactions may write at once. The database may already contain tables.
template <class Database>
struct InboxCases {
  using Ids = std::vector<std::string_view>;

  static void Prepare(soci::session& session) {
    Database::Script(session, "drop table if exists outbox_inbox");
    Database::Script(session, Database::Table());
    Database::Script(session, Database::Table());
  }

  static bool First(soci::session& session, const char* id, const char* group = "billing") {
    return inbox::FirstTime(Database::Native(session), group, id);
  }

  static void RemembersWithTheTransaction() {
    auto session = Database::Open();
    Prepare(session);
    CHECK_THROWS_AS(First(session, "a"), inbox::InboxError);
    for (const bool commit : {false, true}) {
      session.begin();
      CHECK(First(session, "a"));
      CHECK_FALSE(First(session, "a"));
      commit ? session.commit() : session.rollback();
    }
    session.begin();
    CHECK_FALSE(First(session, "a"));
    CHECK(First(session, "a", "shipping"));
    CHECK(First(session, "b"));
    CHECK_THROWS_AS(inbox::FirstTime(Database::Native(session), "g", "a", {"no table"}), inbox::InboxError);
    session.rollback();
  }

  static void TakesBatches() {
    auto session = Database::Open();
    Prepare(session);
    const Ids odd{"\"quoted\"", "back\\slash", "{a,b}", "", "NULL", "o'clock", "ключ", "A", "a"};
    session.begin();
    CHECK(inbox::FirstTime(Database::Native(session), "g", std::span(odd)) == std::vector<bool>(odd.size(), true));
    session.commit();
    session.begin();
    CHECK(inbox::FirstTime(Database::Native(session), "g", std::span(odd)) == std::vector<bool>(odd.size(), false));
    const Ids mixed{"z", "a", "y", "z", "x", "y"};
    CHECK(inbox::FirstTime(Database::Native(session), "g", std::span(mixed)) ==
          std::vector<bool>{true, false, true, false, true, false});
    CHECK(inbox::FirstTime(Database::Native(session), "g", std::span<const std::string_view>()).empty());
    const Ids many(inbox::kMaxEvents + 1, "m");
    CHECK_THROWS_AS(inbox::FirstTime(Database::Native(session), "g", std::span(many)), inbox::InboxError);
    session.rollback();
  }

  static void ForgetsInPortions() {
    auto session = Database::Open();
    Prepare(session);
    std::vector<std::string> names;
    for (int i = 0; i < 25; ++i) names.push_back(std::to_string(i));
    const Ids ids(names.begin(), names.end());
    session.begin();
    (void)inbox::FirstTime(Database::Native(session), "g", std::span(ids));
    (void)inbox::FirstTime(Database::Native(session), "other", std::span(ids));
    session.commit();
    constexpr std::chrono::seconds kYesterday(24 * 3600), kTomorrow(-24 * 3600);
    CHECK(inbox::Forget(Database::Native(session), "g", kYesterday) == 0);
    CHECK(inbox::Forget(Database::Native(session), "g", kTomorrow, 10) == 10);
    CHECK(inbox::Forget(Database::Native(session), "g", kTomorrow, 10) == 10);
    CHECK(inbox::Forget(Database::Native(session), "g", kTomorrow, 10) == 5);
    int left = 0;
    session << "select count(*) from outbox_inbox where consumer_group = 'other'", soci::into(left);
    CHECK(left == 25);
  }

  // Lets two consumers process the same event at the same time, as happens if one of them was taken for dead during a
  // pause.
  static void WaitsForTheConsumerOfTheEvent() {
    for (const bool commit : {true, false}) {
      auto first = Database::Open(), second = Database::Open();
      Prepare(first);
      first.begin();
      REQUIRE(First(first, "a"));
      bool is_first = commit;
      std::thread other([&] {
        second.begin();
        const Ids ids{"b", "a"};
        is_first = inbox::FirstTime(Database::Native(second), "billing", std::span(ids))[1];
        second.commit();
      });
      Database::WaitUntilSomebodyWaits();
      commit ? first.commit() : first.rollback();
      other.join();
      CHECK(is_first == !commit);
    }
  }
};

}  // namespace outbox::testing

#define OUTBOX_INBOX_CASES(Database)                                             \
  TEST_CASE("the inbox records an event in the consumer's transaction") {        \
    InboxCases<Database>::RemembersWithTheTransaction();                         \
  }                                                                              \
  TEST_CASE("the inbox takes batches") { InboxCases<Database>::TakesBatches(); } \
  TEST_CASE("the inbox deletes old records in portions") { InboxCases<Database>::ForgetsInPortions(); }
