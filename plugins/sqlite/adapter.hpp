// The adapter for SQLite. The outbox is in the database file of the application.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sql/adapter.hpp"
#include "sqlite/confirm.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/reader.hpp"
#include "sqlite/watch.hpp"

namespace outbox::sqlite {

// The options of a store, which its sessions share, for example {"path": "/var/lib/shop/orders.db", "table":
// "outbox_event"}.
struct Config {
  Config(const std::string& json, const outbox_host* host);
  std::string path;
  sql::Tables tables;

 private:
  Config(std::map<std::string, std::string, std::less<>> options, const std::shared_ptr<const sql::Source>& captured);
};

// One session of a store. Thread: the thread of the session, except Cancel, which any thread may call.
class Adapter : public sql::Adapter, public WakeUp {
 public:
  // Opens the file if it exists. A missing file is no error here, because ApplySchema creates it; any other call that
  // needs the file throws if it is still missing.
  explicit Adapter(std::shared_ptr<Config> config);
  ~Adapter() override;

  void Cancel() noexcept override;
  bool Wait() override;

  static std::string PrintSchema(const Config& config, const SchemaOptions& options);
  std::vector<std::string> PlanSchema(const SchemaOptions& options) override;
  std::vector<Finding> CheckSchema() override;
  std::vector<outbox::Column> ColumnsOf(std::string_view table) override;

  void List(const Query& query, const Found& found) override;

 private:
  // The prepared statements that record failures (Failing), and those that emit events (Inserting).
  struct Failing;
  struct Inserting;

  Connection& Db() override { return Db(false); }
  Connection& Db(bool create);
  [[nodiscard]] bool IgnoresCase() const override { return true; }
  void RequireAllRows() override;
  void Read(const ReserveRequest& request, BatchBuilder& batch) override;
  Confirmation& Confirming() override;
  bool RecordFailures(std::span<const sql::FailedRow> rows) override;
  const sql::Dialect& Listing() override;
  void Describe(std::vector<outbox::Column>& columns) override;
  void VerifyCapture() override;
  void PrepareInsert() override;
  void InsertAll(Events events) override;
  Statistics Count(sql::Session& db) override;
  void Migrate(const SchemaOptions& options) override;

  const std::shared_ptr<Config> config_;
  std::unique_ptr<Connection> connection_;
  // The following members are declared after the connection, because their prepared statements must be destroyed before
  // it closes.
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Confirmation> confirmation_;
  std::unique_ptr<Failing> failing_;
  std::unique_ptr<Inserting> inserting_;
  std::unique_ptr<Watch> watch_;
  // The SQL dialect for lists of captured rows. It is created on first use.
  std::optional<sql::Dialect> listing_;
};

}  // namespace outbox::sqlite
