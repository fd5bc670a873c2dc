// The billing service. Usage: billing BROKERS DSN TOPIC [PROPERTY=VALUE...]. For each order it writes exactly one
// invoice in its own database, even if the event is delivered several times. The properties are those of librdkafka.
// SIGTERM and Ctrl-C stop the service.
#include <chrono>
#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <outbox/consumer.hpp>
#include <outbox/inbox/libpq.hpp>

#include "database.hpp"

namespace {

using outbox::consumer::Consumer;
using outbox::consumer::Outcome;
using outbox::consumer::Record;

constexpr const char* kGroup = "billing";

// Writes the invoices. It has one database connection for each handler that may run at the same time.
class Billing {
 public:
  Billing(std::string dsn, std::size_t parallel) : dsn_(std::move(dsn)), databases_(parallel) {
    shop::Database database(dsn_);
    for (const char* table :
         {"create table if not exists invoices (order_number bigint not null, cents bigint not null)",
          "create table if not exists accounts (customer bigint primary key, owed bigint not null)"})
      database.Run(table);
    PQclear(PQexec(database.native(), outbox::inbox::PostgresTable().c_str()));
  }

  Outcome Bill(std::span<const Record> records) {
    std::unique_ptr<shop::Database>& database = databases_[records.front().slot];
    try {
      if (!database) database = std::make_unique<shop::Database>(dsn_);
      return BillWith(*database, records);
    } catch (const nlohmann::json::exception&) {
      return Outcome::Reject("the payload is not the JSON of an order");
    } catch (...) {
      database.reset();  // the next attempt opens a new connection
      throw;
    }
  }

 private:
  static Outcome BillWith(shop::Database& database, std::span<const Record> records) {
    std::vector<std::string_view> ids;
    for (const Record& record : records) ids.push_back(record.event_id);
    shop::Transaction transaction(database);
    const std::vector<bool> first = outbox::inbox::FirstTime(database.native(), kGroup, std::span(ids));
    nlohmann::json invoices = nlohmann::json::array();
    for (std::size_t i = 0; i < records.size(); ++i)
      if (first[i]) invoices.push_back(nlohmann::json::parse(records[i].payload.value_or("")));
    if (!invoices.empty())
      database.Run(R"(
with placed as (select * from json_to_recordset($1::json) as p ("order" bigint, customer bigint, cents bigint)),
     invoice as (insert into invoices select "order", cents from placed)
insert into accounts select customer, sum(cents) from placed group by customer order by customer
on conflict (customer) do update set owed = accounts.owed + excluded.owed)",
                   {invoices.dump()});
    transaction.Commit();
    if (records.front().slot == 0) Forget(database);
    return Outcome::Ok();
  }

  // Removes old ids from the inbox: with each batch while there are any, then once an hour. Only the handler in slot 0
  // calls this function, so `next` needs no lock.
  static void Forget(shop::Database& database) {
    static auto next = std::chrono::steady_clock::now();
    if (std::chrono::steady_clock::now() < next) return;
    if (outbox::inbox::Forget(database.native(), kGroup) == 0)
      next = std::chrono::steady_clock::now() + std::chrono::hours(1);
  }

  const std::string dsn_;
  std::vector<std::unique_ptr<shop::Database>> databases_;  // The connections of the handlers, indexed by Record::slot.
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::cerr << "usage: billing BROKERS DSN TOPIC [PROPERTY=VALUE...]\n";
    return 2;
  }
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&ends, signal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before any other thread is started, because threads inherit the mask
  try {
    outbox::consumer::Settings settings;
    settings.kafka = {{"bootstrap.servers", arguments[1]}, {"group.id", kGroup}};
    settings.topics = {arguments[3]};
    for (int i = 4; i < count; ++i) {
      const std::string property = arguments[i];
      settings.kafka[property.substr(0, property.find('='))] = property.substr(property.find('=') + 1);
    }
    settings.concurrency = 2;
    settings.sequence_header = "sequence";
    settings.log = [](outbox::consumer::LogLevel, std::string_view line) { std::clog << line << std::endl; };

    Billing billing(arguments[2], settings.concurrency);
    Consumer consumer(settings);
    consumer.OnBatch({"OrderPlaced"}, [&](std::span<const Record> records) { return billing.Bill(records); });
    consumer.Start();
    constexpr timespec kSoon{0, 200'000'000};
    while (consumer.running() && sigtimedwait(&ends, nullptr, &kSoon) < 0) {
    }
    consumer.Stop();
    const auto counters = consumer.counters();
    std::clog << "billing: " << counters.handled << " records handled, " << counters.missing << " missing, "
              << counters.late << " late, " << counters.repeated << " repeated" << std::endl;
    return consumer.failure() ? 1 : 0;
  } catch (const std::exception& error) {
    std::cerr << "billing: " << error.what() << '\n';
    return 1;
  }
}
