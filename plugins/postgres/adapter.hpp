// PostgreSQL 13 and newer.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "postgres/client.hpp"
#include "postgres/columns.hpp"
#include "postgres/confirm.hpp"
#include "postgres/connect.hpp"
#include "postgres/pooler.hpp"
#include "postgres/reader.hpp"
#include "sql/adapter.hpp"

namespace outbox::postgres {

// {"connection": "host=... dbname=...", "table": "outbox_event"}, and the options of sql/source.hpp. What the sessions share.
struct Config {
  Config(const std::string& json, const outbox_host* host);
  // With the secrets as they are now.
  [[nodiscard]] std::string Connection() const { return CompleteConnection(connection_, secrets_); }
  sql::Tables tables;
  RowPlaces places;  // of all sessions

 private:
  Config(std::map<std::string, std::string, std::less<>> options, const std::shared_ptr<const sql::Source>& captured,
         const Secrets& secrets);
  const std::string connection_;  // as the operator wrote it, with marks of secrets
  const Secrets secrets_;
};

class Adapter : public sql::Adapter, public WakeUp {
 public:
  explicit Adapter(const std::shared_ptr<Config>& config, const Call& call = {0, 0, Millis(5000)});
  ~Adapter() override;

  void Cancel() noexcept override;
  bool Wait() override;

  static std::string PrintSchema(const Config& config, const SchemaOptions& options);
  std::vector<std::string> PlanSchema(const SchemaOptions& options) override;
  std::vector<Finding> CheckSchema() override;
  std::vector<outbox::Column> ColumnsOf(std::string_view table) override;

 private:
  // A session as it is opened, before it is known which schema the tables are in.
  struct Opened {
    Opened(const Config& config, Millis timeout);
    const std::string connection;  // the string
    std::unique_ptr<Client> client;
  };
  // With the schema: every statement names it, so that neither a search path nor a temporary table leads elsewhere.
  Adapter(const std::shared_ptr<Config>& config, Opened opened);

  // A session of its own, from which no row is hidden, or BAD_CONFIG.
  Client& Db() override;
  // A session that may be shared, in which nothing stays behind.
  Client& Borrowed() override;
  [[nodiscard]] bool IgnoresCase() const override { return false; }
  void RequireAllRows() override;
  const EventColumns& OwnColumns();
  void Read(const ReserveRequest& request, BatchBuilder& batch) override;
  Confirmation& Confirming() override;
  bool RecordFailures(std::span<const sql::FailedRow> rows) override;
  const sql::Dialect& Listing() override;
  void PrepareInsert() override;
  void InsertAll(Events events) override;
  void Describe(std::vector<outbox::Column>& columns) override;
  void VerifyCapture() override;
  void Migrate(const SchemaOptions& options) override;
  [[nodiscard]] bool IsDenied(const Error& error) const override;

  const std::shared_ptr<Config> config_;
  const std::string connection_;  // that this session was opened with
  std::unique_ptr<Client> client_;
  SessionGuard session_;
  // Learnt and prepared when first needed: a session must open also where there is no table yet.
  std::optional<EventColumns> columns_;
  std::optional<sql::Dialect> listing_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Confirmation> confirmation_;
  bool inserts_ = false;  // prepared
  bool listens_ = false;
  std::chrono::steady_clock::time_point heard_;  // the server's last answer to Wait
};

}  // namespace outbox::postgres
