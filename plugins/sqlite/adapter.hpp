// SQLite: an outbox in the application's own database file.
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

// {"path": "/var/lib/shop/orders.db", "table": "outbox_event"}. What the sessions share.
struct Config {
  Config(const std::string& json, const outbox_host* host);
  std::string path;
  sql::Tables tables;

 private:
  Config(std::map<std::string, std::string, std::less<>> options, const std::shared_ptr<const sql::Source>& captured);
};

class Adapter : public sql::Adapter, public WakeUp {
 public:
  // Opens the file if it is there. A missing file is an error of the first call that needs one: ApplySchema makes it.
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
  struct Failing;  // prepared statements
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
  // After the connection: their statements must be gone before it closes.
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Confirmation> confirmation_;
  std::unique_ptr<Failing> failing_;
  std::unique_ptr<Inserting> inserting_;
  std::unique_ptr<Watch> watch_;
  std::optional<sql::Dialect> listing_;  // of captured rows
};

}  // namespace outbox::sqlite
