// Tests that the host refuses every batch that breaks the contract, names the plugin and the rule, and still releases
// the batch.
#include <array>

#include "fake_plugin.hpp"
#include "tests/catch.hpp"

namespace outbox::storage {
namespace {

using outbox::testing::FakePlugin;
using outbox::testing::NoLog;

const Call kCall{0, 0, Millis(1000)};

struct Rig {
  FakePlugin fake;
  std::shared_ptr<Store> store = *Store::Open(&fake.table, "{}", NoLog());
  std::unique_ptr<Session> session = std::move(*store->Connect(kCall));
  ReserveRequest order;

  Rig() {
    order.max_events = 3;
    order.max_bytes = 100;
  }
  Result<Batch> Reserve() { return session->ReserveNewEvents(order, kCall); }
};

void RequireRefused(Rig& rig, const std::string& rule) {
  const auto batch = rig.Reserve();
  REQUIRE_FALSE(batch.ok());
  CHECK(batch.status().code() == OUTBOX_INTERNAL);
  CHECK(batch.status().text() == "plugin 'fake' 1.2.3 breaks the contract in reserve_new_events: " + rule);
}

}  // namespace

TEST_CASE("a good batch is readable, and released once, after its session") {
  Rig rig;
  const std::vector<outbox_event> events{FakePlugin::Event("1"), FakePlugin::Event("2")};
  rig.fake.fill = [&](auto&, auto& batch) {
    rig.fake.Hand(batch, events);
    batch.token = 7;
    batch.more = 1;
  };
  {
    auto batch = rig.Reserve();
    REQUIRE(batch.ok());
    CHECK(batch->size() == 2);
    CHECK(ToRowId((*batch)[1].row_id) == RowId("2"));
    CHECK(batch->token() == 7);
    CHECK(batch->more());
    rig.session.reset();
    rig.store.reset();
    const Batch moved = std::move(*batch);
    CHECK(rig.fake.released == 0);
    CHECK(rig.fake.closed == 0);
  }
  CHECK(rig.fake.released == 1);
  CHECK(rig.fake.closed == 1);
}

TEST_CASE("events of a newer plugin are read with the plugin's event size") {
  Rig rig;
  struct Longer {
    outbox_event event;
    std::uint64_t later_field = 0xDEAD;
  };
  const std::array<Longer, 2> events{Longer{FakePlugin::Event("1")}, Longer{FakePlugin::Event("2")}};
  rig.fake.fill = [&](auto&, auto& batch) {
    rig.fake.Hand(batch, std::vector<outbox_event>{});
    batch.events = &events[0].event;
    batch.count = 2;
    batch.event_size = sizeof(Longer);
  };
  auto batch = rig.Reserve();
  REQUIRE(batch.ok());
  CHECK(ToRowId((*batch)[1].row_id) == RowId("2"));
}

TEST_CASE("a batch that breaks a rule is refused and released", "[b91]") {
  Rig rig;
  std::vector<outbox_event> events{FakePlugin::Event("1"), FakePlugin::Event("2")};
  std::function<void(outbox_batch&)> spoil = [](auto&) {};
  rig.fake.fill = [&](auto&, auto& batch) {
    rig.fake.Hand(batch, events);
    spoil(batch);
  };
  const char* const payload = "twelve bytes";

  SECTION("more than asked") {
    events = {FakePlugin::Event("1"), FakePlugin::Event("2"), FakePlugin::Event("3"), FakePlugin::Event("4")};
    RequireRefused(rig, "count is 4; expected at most 3, as requested");
  }
  SECTION("more bytes than asked") {
    rig.order.max_bytes = 23;
    events[0].payload = events[1].payload = Raw(payload);
    RequireRefused(rig, "the events have 24 bytes; expected at most 23, as requested");
  }
  SECTION("the same row twice, next to each other") {
    events = {FakePlugin::Event("7"), FakePlugin::Event("7")};
    RequireRefused(rig, "event 1: another event of the batch has the same row_id");
  }
  SECTION("the same row twice, in ids that do not ascend") {
    events = {FakePlugin::Event("b"), FakePlugin::Event("a"), FakePlugin::Event("b")};
    RequireRefused(rig, "event 2: another event of the batch has the same row_id");
  }
  SECTION("a row that is outstanding") {
    OutstandingRows held;
    CHECK(held.Add("2"));
    rig.order.outstanding = &held;
    RequireRefused(rig, "event 1: this row is outstanding already (is_outstanding returns 1 for it)");
    CHECK_FALSE(held.Has("1"));
    CHECK(held.Has("2"));
  }
  SECTION("row_id NULL") {
    events[1].row_id = {};
    RequireRefused(rig, "event 1: row_id is NULL (a plugin with numeric ids must declare OUTBOX_ROW_IDS_ARE_NUMBERS)");
  }
  SECTION("row_id empty") {
    events[1].row_id.bytes.size = 0;
    RequireRefused(rig, "event 1: row_id is empty");
  }
  SECTION("a number where bytes are declared") {
    events[1].row_id = Raw(RowId(7));
    RequireRefused(rig, "event 1: row_id is NULL (a plugin with numeric ids must declare OUTBOX_ROW_IDS_ARE_NUMBERS)");
  }
  SECTION("bytes where numbers are declared") {
    rig.fake.table.capabilities = OUTBOX_ROW_IDS_ARE_NUMBERS;
    events[0].row_id = Raw(RowId(7));
    RequireRefused(rig, "event 1: row_id is bytes, and the plugin declares numbers (OUTBOX_ROW_IDS_ARE_NUMBERS)");
  }
  SECTION("event_id NULL") {
    events[0].event_id = {};
    RequireRefused(rig, "event 0: event_id is NULL");
  }
  SECTION("event_type NULL") {
    events[0].event_type = {};
    RequireRefused(rig, "event 0: event_type is NULL");
  }
  SECTION("topic NULL") {
    events[0].topic = {};
    RequireRefused(rig, "event 0: topic is NULL");
  }
  SECTION("a size without data") {
    events[0].payload = {nullptr, 5};
    RequireRefused(rig, "event 0: payload is NULL but has a size");
  }
  SECTION("event_size too small") {
    spoil = [](auto& batch) { batch.event_size = 8; };
    RequireRefused(rig, "event_size is 8; expected a multiple of " + std::to_string(alignof(outbox_event)) +
                            ", at least " + std::to_string(sizeof(outbox_event)) + " (ABI 1)");
  }
  SECTION("events NULL") {
    spoil = [](auto& batch) { batch.events = nullptr; };
    RequireRefused(rig, "events is NULL but count is 2");
  }
  SECTION("events not aligned") {
    spoil = [](auto& batch) {
      batch.events = reinterpret_cast<const outbox_event*>(reinterpret_cast<const char*>(batch.events) + 1);
    };
    RequireRefused(rig, "events is not aligned");
  }
  CHECK(rig.fake.released == 1);
}

TEST_CASE("a batch without release is refused") {
  Rig rig;
  rig.fake.fill = [](auto&, auto& batch) { batch.count = 0; };
  RequireRefused(rig, "release is NULL");
}

TEST_CASE("one event may exceed the byte limit alone") {
  Rig rig;
  rig.order.max_bytes = 1;
  std::vector<outbox_event> events{FakePlugin::Event("1")};
  events[0].payload = Raw("twelve bytes");
  rig.fake.fill = [&](auto&, auto& batch) { rig.fake.Hand(batch, events); };
  CHECK(rig.Reserve().ok());
}

}  // namespace outbox::storage
