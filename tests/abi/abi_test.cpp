// Tests that a plugin built against version 1.0 of the contract works with this relay. The plugin must work with every
// later relay, too.
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <map>
#include <set>
#include <sstream>

#include "layout.h"
#include "storage/loader.hpp"
#include "storage/store.hpp"
#include "tests/catch.hpp"

namespace outbox::storage {
namespace {

const Call kCall{0, 5, Millis(1000)};

std::map<std::string, std::pair<std::size_t, std::size_t>> Places(const Place* at) {
  std::map<std::string, std::pair<std::size_t, std::size_t>> places;
  for (; at->name != nullptr; ++at) places[at->name] = {at->offset, at->size};
  return places;
}

// The structs that may get new fields at their end.
const std::set<std::string> kGrowing{"outbox_event",   "outbox_error", "outbox_batch", "outbox_call",
                                     "outbox_reserve", "outbox_host",  "outbox_lease", "outbox_schema_options",
                                     "outbox_stats",   "outbox_query", "outbox_record"};

}  // namespace

TEST_CASE("nothing in the contract has moved") {
  const auto today = Places(TodayLayout());
  for (const auto& [name, place] : Places(FrozenLayout())) {
    INFO(name);
    REQUIRE(today.count(name) == 1);
    CHECK(today.at(name).first == place.first);
    if (kGrowing.count(name) > 0)
      CHECK(today.at(name).second >= place.second);
    else
      CHECK(today.at(name).second == place.second);
  }
}

TEST_CASE("today's relay works with a plugin in C, built then", "[b12]") {
  std::ostringstream log;
  const auto logger = std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
  const auto table = Load("frozen", {FROZEN_PLUGIN, {}});
  REQUIRE(table.ok());
  const auto store = Store::Open(*table, "{\"a\":1}", logger);
  REQUIRE(store.ok());
  CHECK(log.str().find("frozen: {\"a\":1}") != std::string::npos);
  CHECK((*store)->version() == "1.0.0");
  CHECK((*store)->Can(OUTBOX_CAN_SHARE));
  CHECK_FALSE((*store)->Can(OUTBOX_CAN_FENCE));

  const auto session = std::move(*(*store)->Connect(kCall));
  const auto lease = session->Heartbeat("me", Millis(15'000), kCall);
  REQUIRE(lease.ok());
  CHECK(lease->owned.at(0).token == 5);
  CHECK(lease->left == Millis(15'000));

  ReserveRequest order;
  order.max_events = 10;
  order.max_bytes = 1000;
  storage::OutstandingRows held;
  CHECK(held.Add("2"));
  order.outstanding = &held;
  {
    const auto batch = session->ReserveNewEvents(order, kCall);
    REQUIRE(batch.ok());
    REQUIRE(batch->size() == 2);
    CHECK(ToRowId((*batch)[1].row_id) == RowId("3"));
    CHECK(View((*batch)[1].payload) == "frozen");
    CHECK((*batch)[1].headers.data == nullptr);
    CHECK((*batch)[1].attempts == 7);
    CHECK(batch->token() == 5);
  }
  const outbox_row rows[] = {{Raw(RowId("1")), Raw("a")}, {Raw(RowId("2")), Raw("b")}, {Raw(RowId("3")), Raw("c")}};
  std::vector<std::uint8_t> kept;
  // The plugin counts the rows, and checks that the batch was released.
  CHECK(session->ConfirmEvent(rows, kept, kCall).ok());
  CHECK(kept == std::vector<std::uint8_t>{0, 1, 0});
  CHECK(session->ConfirmFailed({}, kCall).ok());
  const Status stale = session->ConfirmFailed({}, {0, 4, Millis(1000)});
  CHECK(stale.code() == OUTBOX_LEASE_LOST);
  CHECK(stale.text() == "frozen: stale (SQLSTATE 40001) (code 1213)");
}

}  // namespace outbox::storage
