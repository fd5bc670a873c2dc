// Checks of the tables that apply to every database.
#pragma once

#include <string>

#include "driver.hpp"
#include "tests/catch.hpp"

namespace outbox::testing {

inline bool Says(const Error& error, const std::string& text) {
  return std::string(error.what()).find(text) != std::string::npos;
}

// Checks that errors about missing tables name `migrate`. REQUIRES: the tables are missing.
template <class Relay>
void CheckMissingTablesNameMigrate(Relay& relay) {
  for (const Error& error : {Caught([&] { relay.Heartbeat(); }), Caught([&] { relay.Reserve(); })}) {
    CHECK(error.code == OUTBOX_BAD_CONFIG);
    CHECK(Says(error, "outbox-relay migrate"));
  }
}

// Checks that the relay refuses tables of version 1, and that the error names `migrate`. REQUIRES: the tables have
// version 1.
template <class Relay>
void CheckVersion1IsRefused(Relay& relay) {
  for (const Error& error : {Caught([&] { relay.Heartbeat(); }), Caught([&] { relay.writing().ReadStats(); })}) {
    CHECK(error.code == OUTBOX_BAD_CONFIG);
    CHECK(Says(error, "version 1"));
    CHECK(Says(error, "run: outbox-relay migrate"));
  }
  CHECK_FALSE(relay.writing().CheckSchema().empty());
}

// Checks that an upgrade keeps the lease, and that the next token is greater than that of the lease. REQUIRES: tables
// of version 1 were upgraded while the lease of a relay in them still lasted.
template <class Relay>
void CheckUpgradedLease(Relay& relay) {
  CHECK(relay.writing().CheckSchema().empty());
  CHECK(relay.Heartbeat().owned.empty());
  relay.writing().ExpireLeases();
  relay.Heartbeat();
  CHECK(relay.token == 8);
}

}  // namespace outbox::testing
