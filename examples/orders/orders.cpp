// An order service on SQLite that emits an event for each order. Usage: orders FILE < orders.txt, where FILE is the
// database and each line of orders.txt is "CUSTOMER CENTS". An order that exceeds the customer's credit is rolled back
// together with its event.
#include <outbox/emit/sqlite3.hpp>

#include <iostream>
#include <stdexcept>

namespace {

class Database {
 public:
  explicit Database(const char* file) {
    if (sqlite3_open(file, &db_) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db_));
    sqlite3_busy_timeout(db_, 5000);
  }
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  void Run(const std::string& sql) {
    if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      throw std::runtime_error(sqlite3_errmsg(db_));
  }
  sqlite3* native() { return db_; }

 private:
  sqlite3* db_ = nullptr;
};

// A transaction that is rolled back at the end of its scope unless Commit() was called.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.Run("begin immediate"); }
  ~Transaction() {
    if (open_) database_.Run("rollback");
  }
  Transaction(const Transaction&) = delete;
  void Commit() {
    database_.Run("commit");
    open_ = false;
  }

 private:
  Database& database_;
  bool open_ = true;
};

void PlaceOrder(Database& database, int number, int customer, int cents) {
  const std::string id = std::to_string(number), who = std::to_string(customer), sum = std::to_string(cents);
  Transaction transaction(database);
  database.Run("insert into orders (number, customer, cents) values (" + id + ", " + who + ", " + sum + ")");

  const std::string key = "customer-" + who, payload = R"({"order": )" + id + R"(, "cents": )" + sum + "}";
  outbox::emit::Emit(database.native(),
                     {.topic = "orders", .event_type = "OrderPlaced", .aggregate_id = key, .payload = payload});

  // The check constraint makes this update fail if the credit would fall below 0.
  database.Run("update customers set credit = credit - " + sum + " where id = " + who);
  transaction.Commit();
}

}  // namespace

int main(int, char** arguments) {
  Database database(arguments[1]);
  database.Run("create table if not exists customers (id integer primary key, credit integer check (credit >= 0))");
  database.Run("create table if not exists orders (number integer primary key, customer integer, cents integer)");
  database.Run("insert or ignore into customers values (1, 10000), (2, 10000), (3, 10000)");
  int number = 0, customer = 0, cents = 0;
  while (std::cin >> customer >> cents) {
    try {
      PlaceOrder(database, ++number, customer, cents);
    } catch (const std::exception& error) {
      std::cerr << "order " << number << " was not placed: " << error.what() << '\n';
    }
  }
}
