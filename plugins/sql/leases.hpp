// Shard leases: outbox.leases/1, in SQL that all dialects share.
//
// The expiry time of a relay is stored in the relay's own row, so a renewal changes one row no matter how many shards
// the relay owns. The set of relays and the owners of shards change only in a *turn*: a short transaction that first
// locks the one row of the meta table. All times are those of the database's clock.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "outbox/adapter.hpp"
#include "sql/dialect.hpp"
#include "sql/statements.hpp"
#include "sql/tables.hpp"

namespace outbox::sql {

class Leases {
 public:
  // REQUIRES: both arguments outlive this object.
  Leases(const Tables& tables, const Dialect& dialect) : tables_(tables), dialect_(dialect) {}

  [[nodiscard]] Lease Heartbeat(Statements& db, const std::string& relay, Millis lease) const;
  void Return(Statements& db, const std::string& relay, std::span<const outbox_owned_shard> shards,
              bool deregister) const;
  // Adds to `stats`, for `status`, every shard with its owner, and sets live_relays, shards_total and shards_owned.
  void Read(Statements& db, Statistics& stats) const;

 private:
  struct Look;
  [[nodiscard]] Look LookAround(Statements& db, const std::string& relay) const;
  [[nodiscard]] Lease Turn(Statements& db, const std::string& relay, Millis lease) const;
  static void AddShards(const Rows& rows, std::size_t column, Lease& lease);

  [[nodiscard]] std::string In(const char* sql) const;

  const Tables& tables_;
  const Dialect& dialect_;
};

}  // namespace outbox::sql
