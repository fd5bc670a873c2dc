// Tests that the core receives each answer of a plugin with a known code, a UTF-8 text that names the plugin, and no
// half-made handle.
#include <cstdlib>

#include "fake_plugin.hpp"
#include "tests/catch.hpp"

namespace outbox::storage {
namespace {

using outbox::testing::FakePlugin;
using outbox::testing::NoLog;

const Call kCall{0, 0, Millis(1000)};

Status Confirm(Store& store) {
  auto session = store.Connect(kCall);
  REQUIRE(session.ok());
  std::vector<std::uint8_t> kept;
  return (*session)->ConfirmEvent({}, kept, kCall);
}

}  // namespace

TEST_CASE("an error keeps its class and names the plugin") {
  FakePlugin fake;
  const auto store = *Store::Open(&fake.table, "{}", NoLog());
  fake.confirm_code = OUTBOX_UNAVAILABLE;
  const Status status = Confirm(*store);
  CHECK(status.code() == OUTBOX_UNAVAILABLE);
  CHECK(status.text() == "fake: the fake's own words");
}

TEST_CASE("a plugin that cannot fill in secrets gets secrets as whole values, but no text with a secret inside",
          "[b113]") {
  FakePlugin fake;
  setenv("OUTBOX_TEST_SECRET", "host=x", 1);
  const auto secrets = std::make_shared<config::Secrets>();
  const std::string mark = secrets->Add("env:OUTBOX_TEST_SECRET", "").mark;
  CHECK(Store::Open(&fake.table, R"({"a": [")" + mark + R"("]})", NoLog(), secrets).ok());
  CHECK(fake.options == R"({"a":["host=x"]})");
  const auto inside = Store::Open(&fake.table, R"({"a": "x )" + mark + R"("})", NoLog(), secrets);
  REQUIRE_FALSE(inside.ok());
  CHECK(inside.status().code() == OUTBOX_BAD_CONFIG);
  CHECK(
      inside.status().text() ==
      "plugin 'fake' cannot fill in ${env:OUTBOX_TEST_SECRET} inside a longer text of its options; make the reference "
      "the whole value");
  fake.table.capabilities = OUTBOX_CAN_FILL_SECRETS;
  CHECK(Store::Open(&fake.table, R"({"a": "x )" + mark + R"("})", NoLog(), secrets).ok());
  CHECK(fake.options == R"({"a": "x )" + mark + R"("})");
  fake.confirm_code = OUTBOX_UNAVAILABLE;
  fake.message = "no such option: host=x";
  CHECK(Confirm(**Store::Open(&fake.table, "{}", NoLog(), secrets)).text() ==
        "fake: no such option: ${env:OUTBOX_TEST_SECRET}");
}

TEST_CASE("only the functions of an extension whose header says so may be NULL") {
  FakePlugin fake;
  static outbox_schema_v1 schema{};
  schema = {sizeof schema, [](auto...) { return outbox_code{OUTBOX_OK}; },
            [](auto...) { return outbox_code{OUTBOX_OK}; }, [](auto...) { return outbox_code{OUTBOX_OK}; }, nullptr};
  fake.table.get_extension = [](const char* id) -> const void* {
    return std::string_view(id) == OUTBOX_SCHEMA_V1 ? &schema : nullptr;
  };
  const auto store = Store::Open(&fake.table, "{}", NoLog());
  REQUIRE(store.ok());
  const auto session = std::move(*(*store)->Connect(kCall));
  CHECK(session->PlanSchema({}, kCall)->empty());
  schema.check = nullptr;
  CHECK(Store::Open(&fake.table, "{}", NoLog()).status().text() ==
        "plugin 'fake': the table of outbox.schema/1 holds a NULL function");
}

TEST_CASE("an error without a text names the plugin") {
  FakePlugin fake;
  const auto store = *Store::Open(&fake.table, "{}", NoLog());
  fake.confirm_code = OUTBOX_TIMEOUT;
  fake.message.clear();
  CHECK(Confirm(*store).text() ==
        "fake: confirm_event returned TIMEOUT without a reason, which is an error in the plugin");
}

TEST_CASE("a code that the ABI does not have counts as an internal error of the plugin", "[b91]") {
  FakePlugin fake;
  const auto store = *Store::Open(&fake.table, "{}", NoLog());
  fake.confirm_code = GENERATE(10, -1, 1 << 30);
  const Status status = Confirm(*store);
  CHECK(status.code() == OUTBOX_INTERNAL);
  CHECK(status.text() == "plugin 'fake' 1.2.3 breaks the contract in confirm_event: it returned code " +
                             std::to_string(fake.confirm_code) + ", which ABI 1 does not have");
}

TEST_CASE("OK without a handle is refused, and an error with one leaves nothing to free", "[b91]") {
  FakePlugin fake;
  SECTION("store") {
    fake.no_store = true;
    const auto store = Store::Open(&fake.table, "{}", NoLog());
    REQUIRE_FALSE(store.ok());
    CHECK(store.status().code() == OUTBOX_INTERNAL);
  }
  SECTION("store that failed to open") {
    fake.open_code = OUTBOX_BAD_CONFIG;
    REQUIRE_FALSE(Store::Open(&fake.table, "{}", NoLog()).ok());
    CHECK(fake.closed == 0);
  }
  SECTION("session") {
    const auto store = *Store::Open(&fake.table, "{}", NoLog());
    fake.no_session = true;
    CHECK(store->Connect(kCall).status().code() == OUTBOX_INTERNAL);
  }
  SECTION("session that failed to connect") {
    const auto store = *Store::Open(&fake.table, "{}", NoLog());
    fake.connect_code = OUTBOX_UNAVAILABLE;
    CHECK(store->Connect(kCall).status().code() == OUTBOX_UNAVAILABLE);
    CHECK(fake.disconnected == 0);
  }
}

TEST_CASE("a function that the plugin lacks is unsupported, or has nothing to do") {
  FakePlugin fake;
  const auto store = *Store::Open(&fake.table, "{}", NoLog());
  const auto session = std::move(*store->Connect(kCall));
  CHECK_FALSE(store->HasLeases());
  CHECK(session->Heartbeat("me", Millis(1000), kCall).status().code() == OUTBOX_UNSUPPORTED);
  CHECK(session->BeginEmit(kCall).code() == OUTBOX_UNSUPPORTED);
  CHECK(session->ReadStats(kCall).status().code() == OUTBOX_UNSUPPORTED);
  CHECK(store->PrintSchema({}).status().code() == OUTBOX_UNSUPPORTED);
  CHECK_FALSE(store->MarksRows());
  CHECK(session->Release({}, kCall).ok());
  session->Cancel();
}

}  // namespace outbox::storage
