// The baseline for SQLite: bench-baseline-sqlite BROKERS FILE
#include <sqlite3.h>

#include <array>

#include "baseline.hpp"

namespace {

using bench::Batch;
using bench::Require;

sqlite3* Open(const char* file) {
  sqlite3* db = nullptr;
  Require(sqlite3_open(file, &db) == SQLITE_OK, "cannot open the file");
  sqlite3_busy_timeout(db, 10'000);
  return db;
}

sqlite3_stmt* Prepare(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  Require(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) == SQLITE_OK,
          sqlite3_errmsg(db));
  return statement;
}

// A batch that owns copies of its values, because the values that SQLite returns are valid only until the next step.
struct Rows : Batch {
  std::string arena;
};

class Reader : public bench::Reader {
 public:
  explicit Reader(const char* file)
      : db_(Open(file)),
        select_(Prepare(db_,
                        "select id, event_id, aggregate_id, event_type, topic, payload from outbox_event"
                        " where id > ? order by id limit 1000")) {}

  std::unique_ptr<Batch> After(long long id) override {
    auto batch = std::make_unique<Rows>();
    std::vector<std::array<std::size_t, 5>> sizes;
    sqlite3_bind_int64(select_, 1, id);
    int result = 0;
    while ((result = sqlite3_step(select_)) == SQLITE_ROW) {
      batch->rows.emplace_back().id = sqlite3_column_int64(select_, 0);
      std::array<std::size_t, 5>& size = sizes.emplace_back();
      for (int i = 0; i < 5; ++i) {
        const auto* const data = static_cast<const char*>(sqlite3_column_blob(select_, i + 1));
        size[static_cast<std::size_t>(i)] = static_cast<std::size_t>(sqlite3_column_bytes(select_, i + 1));
        batch->arena.append(data, size[static_cast<std::size_t>(i)]);
      }
    }
    Require(result == SQLITE_DONE, sqlite3_errmsg(db_));
    sqlite3_reset(select_);
    std::string_view rest = batch->arena;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      bench::Row& row = batch->rows[i];
      std::size_t column = 0;
      for (std::string_view* const value : {&row.event_id, &row.key, &row.type, &row.topic, &row.payload}) {
        *value = rest.substr(0, sizes[i][column]);
        rest.remove_prefix(sizes[i][column++]);
      }
    }
    return batch;
  }

 private:
  sqlite3* const db_;
  sqlite3_stmt* const select_;
};

class Remover : public bench::Remover {
 public:
  explicit Remover(const char* file)
      : db_(Open(file)), delete_(Prepare(db_, "delete from outbox_event where id between ? and ?")) {}

  void Remove(std::span<const long long> ids) override {
    Do("begin immediate");
    for (std::size_t i = 0; i < ids.size();) {
      const std::size_t first = i++;
      while (i < ids.size() && ids[i] == ids[i - 1] + 1) ++i;
      sqlite3_bind_int64(delete_, 1, ids[first]);
      sqlite3_bind_int64(delete_, 2, ids[i - 1]);
      Require(sqlite3_step(delete_) == SQLITE_DONE, sqlite3_errmsg(db_));
      sqlite3_reset(delete_);
    }
    Do("commit");
  }

 private:
  void Do(const char* sql) {
    Require(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sqlite3_errmsg(db_));
  }
  sqlite3* const db_;
  sqlite3_stmt* const delete_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  Reader reader(arguments[2]);
  Remover remover(arguments[2]);
  return bench::Drain(reader, remover, arguments[1]);
}
