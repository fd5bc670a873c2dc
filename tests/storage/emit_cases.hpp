// Tests of the emit helpers for every database: an application writes through SOCI, and the relay's own adapter reads
// the events back.
#pragma once

#include <outbox/emit/event.hpp>

#include <chrono>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "driver.hpp"
#include "tests/catch.hpp"

namespace outbox::testing {

using emit::EmitCode;

// REQUIRES: Database has Relay MakeRelay(), soci::session Open(), auto* Native(session) and kBinaryPayload; and for
// strict order PrepareStrictOrder(session) and WaitUntilSomebodyWaits().
template <class Database>
struct EmitCases {
  static emit::NewEvent Placed(const char* key, const char* payload = "{}") {
    return {.topic = "orders", .event_type = "OrderPlaced", .aggregate_id = key, .payload = payload};
  }

  template <class Call>
  static EmitCode Refused(Call call) {
    try {
      call();
    } catch (const emit::EmitError& error) {
      UNSCOPED_INFO(error.what());
      return error.code;
    }
    throw std::runtime_error("nothing was refused");
  }

  static void ArrivesAsItIs() {
    auto relay = Database::MakeRelay();
    auto session = Database::Open();
    const std::string note = "{\"note\":\"two\\nlines \\\\ 'quoted' ё\"}", bytes("\0a\xff\\'\0", 6);
    const std::string payload = Database::kBinaryPayload ? bytes : note;
    const std::vector<emit::NewEvent> events{
        {.topic = "orders", .event_type = "OrderPlaced", .aggregate_id = "заказ 'o\"\\", .payload = note},
        {.topic = "orders", .event_type = "", .aggregate_id = "", .payload = ""},
        {.topic = "orders", .event_type = "NoKey"},
        {.topic = "orders",
         .event_type = "Own",
         .aggregate_id = "k",
         .payload = payload,
         .headers = {{"source", "te\"st\n"}, {"none", std::nullopt}, {"raw", "\xff"}, {"empty", ""}},
         .event_id = "0192F0C1-2B3C-7D4E-8F50-A1B2C3D4E5F6"}};
    std::vector<std::string> ids;
    session.begin();
    ids.push_back(emit::Emit(Database::Native(session), events[0]));
    const auto rest = emit::Emit(Database::Native(session), std::span(events).subspan(1));
    ids.insert(ids.end(), rest.begin(), rest.end());
    session.commit();
    CHECK(ids[3] == "0192f0c1-2b3c-7d4e-8f50-a1b2c3d4e5f6");

    const std::vector<Taken> taken = relay.Reserve();
    REQUIRE(taken.size() == events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
      INFO("event " << i);
      CHECK(taken[i].event_id == ids[i]);
      CHECK(taken[i].topic == events[i].topic);
      CHECK(taken[i].type == events[i].event_type);
      CHECK(taken[i].key == events[i].aggregate_id);
      CHECK(taken[i].payload == events[i].payload);
      CHECK(taken[i].headers.has_value() == !events[i].headers.empty());
    }
    const auto headers = nlohmann::json::parse(*taken[3].headers);
    CHECK(headers == nlohmann::json::parse(R"({"source":"te\"st\n","none":null,"raw":{"base64":"/w=="},"empty":""})"));
  }

  static void SharesTheTransaction() {
    auto relay = Database::MakeRelay();
    auto session = Database::Open();
    session << "create table orders (number integer)";
    for (const bool commit : {false, true}) {
      session.begin();
      session << "insert into orders values (1)";
      emit::Emit(Database::Native(session), Placed("k"));
      CHECK(relay.Reserve().empty());
      commit ? session.commit() : session.rollback();
    }
    CHECK(relay.Reserve().size() == 1);
    int orders = 0;
    session << "select count(*) from orders", soci::into(orders);
    CHECK(orders == 1);
  }

  static void NeedsATransaction() {
    auto relay = Database::MakeRelay();
    auto session = Database::Open();
    CHECK(Refused([&] { emit::Emit(Database::Native(session), Placed("k")); }) == EmitCode::kNoTransaction);
    session.begin();
    session.rollback();
    CHECK(Refused([&] { emit::Emit(Database::Native(session), Placed("k")); }) == EmitCode::kNoTransaction);
    CHECK(relay.Reserve().empty());
    emit::Options alone{.allow_autocommit = true};
    emit::Emit(Database::Native(session), Placed("k"), alone);
    CHECK(relay.Reserve().size() == 1);
    alone.strict_order = true;
    CHECK(Refused([&] { emit::Emit(Database::Native(session), Placed("k"), alone); }) == EmitCode::kNoTransaction);
  }

  static void RefusesBeforeTheInsert() {
    auto relay = Database::MakeRelay();
    auto session = Database::Open();
    session.begin();
    const std::string large(2'000'000, 'x');
    auto* const db = Database::Native(session);
    CHECK(Refused([&] { emit::Emit(db, Placed("k", large.c_str())); }) == EmitCode::kTooLarge);
    CHECK(Refused([&] { emit::Emit(db, {.topic = "no topic", .event_type = "t"}); }) == EmitCode::kBadTopic);
    CHECK(Refused([&] {
            emit::Emit(db, {.topic = "t", .event_type = "t", .headers = {{"", "v"}}});
          }) == EmitCode::kBadHeaders);
    CHECK(Refused([&] { emit::Emit(db, {.topic = "t", .event_type = "t", .event_id = "1"}); }) == EmitCode::kBadValue);
    CHECK(Refused([&] { emit::Emit(db, Placed("k"), {.table = "a b"}); }) == EmitCode::kBadOptions);
    CHECK(Refused([&] { emit::Emit(db, std::vector<emit::NewEvent>(5001, Placed("k"))); }) == EmitCode::kTooMany);
    const std::vector<emit::NewEvent> third{Placed("a"), Placed("b"), {.topic = "", .event_type = "t"}, Placed("d")};
    try {
      emit::Emit(db, third);
      FAIL("the third was not refused");
    } catch (const emit::EmitError& error) {
      CHECK(error.index == 2);
    }
    // The refused calls have written no event, and the transaction can continue.
    emit::Emit(db, Placed("good"));
    session.commit();
    const auto taken = relay.Reserve();
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].key == "good");
  }

  static void ReportsWhatTheDatabaseRefuses() {
    auto relay = Database::MakeRelay();
    auto session = Database::Open();
    session.begin();
    CHECK(Refused([&] { emit::Emit(Database::Native(session), Placed("k"), {.table = "not_there"}); }) ==
          EmitCode::kDatabase);
    session.rollback();
    CHECK(relay.Reserve().empty());
  }

  static void TakesAsManyAsItSays() {
    auto relay = Database::MakeRelay();
    auto session = Database::Open();
    std::vector<std::string> payloads;
    for (std::size_t i = 0; i < emit::kMaxEvents; ++i) payloads.push_back(std::to_string(i));
    std::vector<emit::NewEvent> events;
    for (const std::string& payload : payloads) events.push_back(Placed("k", payload.c_str()));
    session.begin();
    const auto ids = emit::Emit(Database::Native(session), events);
    CHECK(emit::Emit(Database::Native(session), std::span<const emit::NewEvent>()).empty());
    session.commit();
    const auto taken = relay.Reserve(10'000);
    REQUIRE(taken.size() == emit::kMaxEvents);
    bool in_order = true;
    for (std::size_t i = 0; i < taken.size(); ++i)
      in_order = in_order && taken[i].payload == payloads[i] && taken[i].event_id == ids[i];
    CHECK(in_order);
  }

  // Runs two transactions that have only a key in common. The second one waits until the first one has ended.
  static void StrictOrderWaitsForTheKey() {
    auto relay = Database::MakeRelay();
    auto first = Database::Open(), second = Database::Open();
    Database::PrepareStrictOrder(first);
    const emit::Options strict{.strict_order = true};
    first.begin();
    emit::Emit(Database::Native(first), Placed("k", "1"), strict);
    std::thread other([&] {
      second.begin();
      emit::Emit(Database::Native(second), Placed("other", "0"), strict);
      const std::vector<emit::NewEvent> events{Placed("k", "2"), Placed("a", "0"), Placed("k", "3")};
      emit::Emit(Database::Native(second), events, strict);
      second.commit();
    });
    Database::WaitUntilSomebodyWaits();
    emit::Emit(Database::Native(first), Placed("k", "1b"), strict);
    first.commit();
    other.join();
    std::string order;
    for (const Taken& event : relay.Reserve())
      if (event.key == "k") order += *event.payload + " ";
    CHECK(order == "1 1b 2 3 ");
  }
};

}  // namespace outbox::testing

#define OUTBOX_EMIT_CASES(Database)                                                                                \
  TEST_CASE("emitted events arrive unchanged") { EmitCases<Database>::ArrivesAsItIs(); }                           \
  TEST_CASE("emit shares the caller's transaction") { EmitCases<Database>::SharesTheTransaction(); }               \
  TEST_CASE("emit needs a transaction unless autocommit is allowed") { EmitCases<Database>::NeedsATransaction(); } \
  TEST_CASE("emit refuses an event before it inserts any") { EmitCases<Database>::RefusesBeforeTheInsert(); }      \
  TEST_CASE("emit reports an error of the database") { EmitCases<Database>::ReportsWhatTheDatabaseRefuses(); }     \
  TEST_CASE("emit takes up to kMaxEvents events, in order") { EmitCases<Database>::TakesAsManyAsItSays(); }
