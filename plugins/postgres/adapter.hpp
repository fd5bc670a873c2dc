// The adapter for PostgreSQL 13 and newer.
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

// The options of the plugin, {"connection": "host=... dbname=...", "table": "outbox_event"} and those of
// sql/source.hpp, and the state that the sessions of a store share.
struct Config {
  Config(const std::string& json, const outbox_host* host);
  // Returns the complete connection string, with the current values of the secrets.
  [[nodiscard]] std::string Connection() const { return CompleteConnection(connection_, secrets_); }
  sql::Tables tables;
  RowPlaces places;  // the places (ctid) of outstanding rows, shared by all sessions

 private:
  Config(std::map<std::string, std::string, std::less<>> options, const std::shared_ptr<const sql::Source>& captured,
         const Secrets& secrets);
  const std::string connection_;  // the connection string as the operator wrote it, with secret marks
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
  // An open session for which the schema of the tables is not known yet.
  struct Opened {
    Opened(const Config& config, Millis timeout);
    const std::string connection;  // the connection string
    std::unique_ptr<Client> client;
  };
  // Determines the schema of the tables. Every statement then names the schema, so that neither a search path nor a
  // temporary table can lead to another table.
  Adapter(const std::shared_ptr<Config>& config, Opened opened);

  // Returns a session of the server that belongs to this connection alone, and in which no row is hidden. Errors:
  // throws OUTBOX_BAD_CONFIG if rows are hidden, or if a pooler may assign the session to other clients.
  Client& Db() override;
  // Returns a session that other clients may share, so the caller must leave no state behind in it.
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
  const std::string connection_;  // the connection string of this session
  std::unique_ptr<Client> client_;
  SessionGuard session_;
  // The following members are read from the catalogue or prepared on first use, because a session must open even if
  // there is no table yet.
  std::optional<EventColumns> columns_;
  std::optional<sql::Dialect> listing_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Confirmation> confirmation_;
  bool inserts_ = false;  // true if the statements of emit are prepared
  bool listens_ = false;
  std::chrono::steady_clock::time_point heard_;  // time of the server's last answer to Wait
};

}  // namespace outbox::postgres
