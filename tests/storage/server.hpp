// The starting points of the tests on servers. "rig.hpp" is that of the server for which the program is compiled.
#pragma once

#include <string>
#include <utility>

#include "rig.hpp"

namespace outbox::testing {

// A database without tables.
struct Fresh {
  Fresh() { Database::DropTables(app); }
  Application app;
};

// A relay that owns the shards of an empty outbox.
struct Ready : Fresh {
  explicit Ready(const SchemaOptions& options = {}) : relay(Configured()) {
    relay.writing().ApplySchema(options);
    relay.Heartbeat();
  }
  // The application has created the outbox table before the relay came.
  explicit Ready(const std::string& create_event) : relay(Configured()) {
    app(create_event);
    relay.writing().ApplySchema({});
    relay.Heartbeat();
  }
  Relay relay;
};

// The relay has read one row, with the key `a`. Its confirm can be tried with any timeout.
struct OneRead : Ready {
  OneRead() : id(app.Insert("a")), text(std::to_string(id)) {
    CHECK(relay.Reserve().size() == 1);
    event = relay.event_ids.at(id);
    row = {Raw(RowId(id)), Raw(event)};
  }
  Error Confirmed(Millis timeout) {
    auto& adapter = relay.writing();
    adapter.Begin({0, relay.token, timeout});
    KeptRows kept(nullptr, 0);
    Error answer = Caught([&] { adapter.ConfirmEvent({&row, 1}, kept); });
    UNSCOPED_INFO(answer.what());
    return answer;
  }
  outbox_code Confirm(Millis timeout) { return Confirmed(timeout).code; }

  const long long id;
  const std::string text;
  std::string event;
  outbox_row row{};
};

// Returns how many dead letters were requeued.
inline std::uint64_t Requeue(Relay& relay, long long id) {
  const outbox_row_id raw = Raw(RowId(id));
  return relay.writing().Requeue({&raw, 1});
}

// A change of the tables, what check reports about it, and whether that is an error.
struct Wrong {
  const char *sql, *what;
  bool error;
};

inline void CheckFinding(const Wrong& wrong, const Finding& finding) {
  INFO(finding.what << "\n" << finding.fix);
  CHECK(finding.what.find(wrong.what) != std::string::npos);
  CHECK(finding.error == wrong.error);
}

// Where there are two outboxes, tables of version 1 do not say to which one they belong. The SQL in the error states
// it.
// REQUIRES: `relay` is one of the first outbox, beside which there is the table of a second one.
inline void CheckAmbiguousVersion1(Application& app, Relay& relay) {
  app("update outbox_meta set version = 1; alter table outbox_meta drop column outbox");
  const std::string ambiguous = Caught([&] { relay.writing().ApplySchema({}); }).what();
  const auto fix = ambiguous.find("alter table");
  REQUIRE(fix != std::string::npos);
  app(ambiguous.substr(fix));
  relay.writing().ApplySchema({});
  relay.Reconnect();
  CHECK(relay.Heartbeat().owned.size() == 1);
}

}  // namespace outbox::testing
