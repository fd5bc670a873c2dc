// The baseline for MySQL and MariaDB: bench-baseline-mysql BROKERS HOST PORT USER PASSWORD DATABASE
#include <mysql.h>

#include <cstdlib>

#include "baseline.hpp"

namespace {

using bench::Batch;
using bench::Require;

constexpr std::size_t kIdsPerStatement = 1000;

void Execute(MYSQL* db, const std::string& sql) {
  Require(mysql_real_query(db, sql.data(), sql.size()) == 0, mysql_error(db));
}

MYSQL* Connect(char** a) {
  MYSQL* const db = mysql_init(nullptr);
  Require(mysql_real_connect(db, a[2], a[4], a[5], a[6], static_cast<unsigned>(std::atoi(a[3])), nullptr, 0) != nullptr,
          mysql_error(db));
  mysql_set_character_set(db, "utf8mb4");
  Execute(db, "set session transaction isolation level read committed");
  return db;
}

struct Rows : Batch {
  explicit Rows(MYSQL_RES* from) : result(from) {}
  ~Rows() override { mysql_free_result(result); }
  MYSQL_RES* const result;
};

class Reader : public bench::Reader {
 public:
  explicit Reader(char** arguments) : db_(Connect(arguments)) {}
  std::unique_ptr<Batch> After(long long id) override {
    Execute(db_, "select id, event_id, aggregate_id, event_type, topic, payload from outbox_event where id > " +
                     std::to_string(id) + " order by id limit " + std::to_string(bench::kBatch));
    auto batch = std::make_unique<Rows>(mysql_store_result(db_));
    Require(batch->result != nullptr, mysql_error(db_));
    while (MYSQL_ROW const row = mysql_fetch_row(batch->result)) {
      const unsigned long* const size = mysql_fetch_lengths(batch->result);
      const auto text = [&](int i) { return std::string_view(row[i], size[i]); };
      batch->rows.push_back({std::atoll(row[0]), text(1), text(2), text(3), text(4), text(5)});
    }
    return batch;
  }

 private:
  MYSQL* const db_;
};

class Remover : public bench::Remover {
 public:
  explicit Remover(char** arguments) : db_(Connect(arguments)) {}
  void Remove(std::span<const long long> ids) override {
    while (!ids.empty()) {
      const auto some = ids.first(std::min(ids.size(), kIdsPerStatement));
      ids = ids.subspan(some.size());
      std::string sql = "delete from outbox_event where id in (";
      for (const long long id : some) sql += std::to_string(id) + ',';
      sql.back() = ')';
      Execute(db_, sql);
    }
  }

 private:
  MYSQL* const db_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 7) return 2;
  Reader reader(arguments);
  Remover remover(arguments);
  return bench::Drain(reader, remover, arguments[1]);
}
