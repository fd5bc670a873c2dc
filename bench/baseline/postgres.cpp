// The baseline for PostgreSQL: bench-baseline-postgres BROKERS CONNECTION
#include <endian.h>
#include <libpq-fe.h>

#include <cstring>

#include "baseline.hpp"

namespace {

using bench::Batch;
using bench::Require;

constexpr Oid kInt8 = 20, kInt8Array = 1016;
constexpr const char* kSelect =
    "select id, event_id::text, aggregate_id, event_type, topic, payload from outbox_event where id > $1 order by id"
    " limit 1000";
constexpr const char* kDelete = "delete from outbox_event where id = any($1)";

PGconn* Connect(const char* connection, const char* sql, Oid type) {
  PGconn* const db = PQconnectdb(connection);
  Require(PQstatus(db) == CONNECTION_OK, PQerrorMessage(db));
  PQclear(PQexec(db,
                 "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off;"
                 " set enable_sort = off; set jit = off"));
  PQclear(PQprepare(db, "it", sql, 1, &type));
  return db;
}

PGresult* Execute(PGconn* db, const void* value, std::size_t size, ExecStatusType wanted) {
  const char* const values[] = {static_cast<const char*>(value)};
  const int lengths[] = {static_cast<int>(size)}, formats[] = {1};
  PGresult* const result = PQexecPrepared(db, "it", 1, values, lengths, formats, 1);
  Require(PQresultStatus(result) == wanted, PQerrorMessage(db));
  return result;
}

struct Rows : Batch {
  explicit Rows(PGresult* from) : result(from) {}
  ~Rows() override { PQclear(result); }
  [[nodiscard]] std::string_view Text(int row, int column) const {
    return {PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))};
  }
  PGresult* const result;
};

class Reader : public bench::Reader {
 public:
  explicit Reader(const char* connection) : db_(Connect(connection, kSelect, kInt8)) {}
  std::unique_ptr<Batch> After(long long id) override {
    const std::uint64_t after = htobe64(static_cast<std::uint64_t>(id));
    auto batch = std::make_unique<Rows>(Execute(db_, &after, sizeof after, PGRES_TUPLES_OK));
    for (int row = 0; row < PQntuples(batch->result); ++row) {
      std::uint64_t number = 0;
      std::memcpy(&number, PQgetvalue(batch->result, row, 0), sizeof number);
      batch->rows.push_back({static_cast<long long>(be64toh(number)), batch->Text(row, 1), batch->Text(row, 2),
                             batch->Text(row, 3), batch->Text(row, 4), batch->Text(row, 5)});
    }
    return batch;
  }

 private:
  PGconn* const db_;
};

class Remover : public bench::Remover {
 public:
  explicit Remover(const char* connection) : db_(Connect(connection, kDelete, kInt8Array)) {}
  void Remove(std::span<const long long> ids) override {
    // Header of a binary array: number of dimensions, "has NULLs", element type, number of elements, index of the first
    // element.
    array_.clear();
    for (const std::uint32_t number : {1U, 0U, kInt8, static_cast<std::uint32_t>(ids.size()), 1U}) Put(htobe32(number));
    for (const long long id : ids) {
      Put(htobe32(8));
      Put(htobe64(static_cast<std::uint64_t>(id)));
    }
    PQclear(Execute(db_, array_.data(), array_.size(), PGRES_COMMAND_OK));
  }

 private:
  template <class T>
  void Put(T number) {
    array_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  PGconn* const db_;
  std::string array_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  Reader reader(arguments[2]);
  Remover remover(arguments[2]);
  return bench::Drain(reader, remover, arguments[1]);
}
