// The order service. Usage: orders DSN TOPIC COUNT. It places orders in its own database until there are COUNT orders,
// and emits an event for each order in the same transaction. One transaction in ten is rolled back together with its
// event, as if the customer had changed their mind. If the service is killed and started again, it places the orders
// that are still missing.
#include <iostream>
#include <outbox/emit/libpq.hpp>
#include <random>

#include "database.hpp"

namespace {

constexpr int kCustomers = 50;

bool PlaceOrder(shop::Database& database, const std::string& topic, std::mt19937& dice) {
  const std::string customer = std::to_string(1 + dice() % kCustomers), cents = std::to_string(100 + dice() % 10'000);
  shop::Transaction transaction(database);
  // Updating the customer's row first locks it, so the events of one customer are in commit order.
  const std::string count =
      database.Run("update customers set orders = orders + 1 where id = $1 returning orders", {customer});
  const std::string number =
      database.Run("insert into orders (customer, cents) values ($1, $2) returning number", {customer, cents});
  const std::string key = "customer-" + customer;
  const std::string payload =
      R"({"order": )" + number + R"(, "customer": )" + customer + R"(, "cents": )" + cents + "}";
  outbox::emit::Emit(database.native(), {.topic = topic,
                                         .event_type = "OrderPlaced",
                                         .aggregate_id = key,
                                         .payload = payload,
                                         .headers = {{"sequence", count}}});
  if (dice() % 10 == 0) return false;
  transaction.Commit();
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: orders DSN TOPIC COUNT\n";
    return 2;
  }
  try {
    shop::Database database(arguments[1]);
    database.Run("create table if not exists customers (id integer primary key, orders integer not null default 0)");
    database.Run("insert into customers (id) select generate_series(1, $1::integer) on conflict do nothing",
                 {std::to_string(kCustomers)});
    database.Run(
        "create table if not exists orders"
        " (number bigint generated always as identity primary key, customer integer not null, cents integer not null)");
    std::mt19937 dice(std::random_device{}());
    const int wanted = std::stoi(arguments[3]);
    for (int placed = std::stoi(database.Run("select count(*) from orders")); placed < wanted;)
      placed += PlaceOrder(database, arguments[2], dice) ? 1 : 0;
  } catch (const std::exception& error) {
    std::cerr << "orders: " << error.what() << '\n';
    return 1;
  }
}
