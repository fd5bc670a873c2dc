// ReserveNewEvents on PostgreSQL: one statement, one snapshot (see Position), binary results.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/columns.hpp"
#include "postgres/position.hpp"
#include "postgres/wire.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

class Reader {
 public:
  // Prepares its statements: the tables must be there.
  Reader(Wire& wire, const sql::Tables& tables, const EventColumns& columns);
  void Read(const Call& call, const ReserveRequest& request, BatchBuilder& batch);

 private:
  struct Shard {
    std::uint64_t token = 0;
    Position position;
    std::chrono::steady_clock::time_point swept;
    bool caught_up = false;
    // Rows looked at per row asked for: more where most of them are other shards' or wait.
    long long stretch = 1;
  };
  // What one statement brought.
  struct Page {
    Result result;
    int fresh = 0,
        tail = 0;         // the rows [0, fresh) are ids of late ones, [fresh, tail) new rows, then one about the read
    long long asked = 0;  // new rows
  };
  enum class Next { kDone, kAgain };

  Page Ask(const Call& call, const ReserveRequest& request, const Shard& shard);
  Next Take(const Call& call, const ReserveRequest& request, Shard& shard, BatchBuilder& batch);
  // False = the batch is full.
  bool AddLate(const ReserveRequest& request, const Page& page, BatchBuilder& batch);
  bool AddRow(const Result& result, int row, BatchBuilder& batch) const;

  Wire& wire_;
  const EventColumns columns_;
  std::map<std::uint32_t, Shard> shards_;
};

}  // namespace outbox::postgres
