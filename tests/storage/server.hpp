// Fixtures for the tests on database servers. "rig.hpp" is the rig of the server for which the program is compiled.
#pragma once

#include <string>
#include <utility>

#include "rig.hpp"

namespace outbox::testing {

// A connection of the application to a database without tables.
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
  // Creates the outbox table with `create_event`, as an application would, before the relay creates the other tables.
  explicit Ready(const std::string& create_event) : relay(Configured()) {
    app(create_event);
    relay.writing().ApplySchema({});
    relay.Heartbeat();
  }
  Relay relay;
};

// A relay that has read one row, with the key `a`. The tests confirm that row with various timeouts.
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

// Requeues the dead letter with the row id `id`, and returns the number of requeued dead letters.
inline std::uint64_t Requeue(Relay& relay, long long id) {
  const outbox_row_id raw = Raw(RowId(id));
  return relay.writing().Requeue({&raw, 1});
}

// SQL that damages the tables or settings, a part of the text that check reports about the damage, and whether the
// finding is an error.
struct Wrong {
  const char *sql, *what;
  bool error;
};

inline void CheckFinding(const Wrong& wrong, const Finding& finding) {
  INFO(finding.what << "\n" << finding.fix);
  CHECK(finding.what.find(wrong.what) != std::string::npos);
  CHECK(finding.error == wrong.error);
}

// Checks that companion tables of version 1 are refused if there are two outboxes, because the tables do not record to
// which outbox they belong. Also checks that the error contains SQL that records the outbox, and that the tables are
// accepted after that SQL was run. REQUIRES: `relay` is a relay of the first outbox, and the event table of a second
// outbox exists.
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
