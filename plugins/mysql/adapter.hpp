// The adapter for MySQL 8.0 and newer, and for MariaDB 10.6 and newer.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mysql/capture.hpp"
#include "mysql/client.hpp"
#include "mysql/confirm.hpp"
#include "mysql/options.hpp"
#include "mysql/reader.hpp"
#include "sql/adapter.hpp"

namespace outbox::mysql {

// The options of a store, and the state that its sessions share.
struct Config {
  Config(const std::string& json, const outbox_host* host);
  // Returns the options with the current values of the secrets.
  [[nodiscard]] Options CurrentOptions() const { return {json_, secrets_}; }
  sql::Tables tables;
  // True if the outbox may contain failed events. If the flag is false, a session that confirms saves the statement
  // that deletes failure records. The session can rely on the flag, because the events that it confirms were read in
  // this process, and each read updates the flag.
  std::atomic<bool> troubled = true;

 private:
  Config(const std::string& json, const Secrets& secrets, const Options& options);
  const std::string json_;  // the options as the operator wrote them, with marks in the place of secrets
  const Secrets secrets_;
};

// One session of a store. Thread: the thread of the session, except Cancel, which any thread may call.
class Adapter : public sql::Adapter {
 public:
  Adapter(std::shared_ptr<Config> config, const Call& call);
  ~Adapter() override;

  void Cancel() noexcept override;

  static std::string PrintSchema(const Config& config, const SchemaOptions& options);
  std::vector<std::string> PlanSchema(const SchemaOptions& options) override;
  std::vector<Finding> CheckSchema() override;
  std::vector<outbox::Column> ColumnsOf(std::string_view table) override;

 private:
  Client& Db() override;
  const std::vector<MappedType>& Types();
  [[nodiscard]] bool IgnoresCase() const override { return client_.server().ignores_case; }
  void RequireAllRows() override;
  void Read(const ReserveRequest& request, BatchBuilder& batch) override;
  Confirmation& Confirming() override { return confirmation_; }
  bool RecordFailures(std::span<const sql::FailedRow> rows) override;
  std::string PayloadOfDead() override;
  const sql::Dialect& Listing() override;
  void Describe(std::vector<outbox::Column>& columns) override;
  void VerifyCapture() override;
  void InsertAll(Events events) override;
  void Migrate(const SchemaOptions& options) override;
  [[nodiscard]] bool IsDenied(const Error& error) const override;

  const std::shared_ptr<Config> config_;
  const Options options_;  // the options with which this session was opened
  Client client_;
  Reader reader_;
  // The types of a captured table's columns, and the SQL dialect for lists of captured rows. Both are created on first
  // use.
  std::optional<std::vector<MappedType>> types_;
  std::optional<sql::Dialect> listing_;
  Confirmation confirmation_;
};

}  // namespace outbox::mysql
