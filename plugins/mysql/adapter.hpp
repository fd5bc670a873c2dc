// MySQL 8.0 and newer, MariaDB 10.6 and newer.
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

// What the sessions share.
struct Config {
  Config(const std::string& json, const outbox_host* host);
  // With the secrets as they are now.
  [[nodiscard]] Options CurrentOptions() const { return {json_, secrets_}; }
  sql::Tables tables;
  // There may be failed events. Only saves the confirming session a look: what it confirms was read in this process, and
  // that read knew.
  std::atomic<bool> troubled = true;

 private:
  Config(const std::string& json, const Secrets& secrets, const Options& options);
  const std::string json_;  // as the operator wrote it, with marks of secrets
  const Secrets secrets_;
};

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
  const Options options_;  // that this session was opened with
  Client client_;
  Reader reader_;
  std::optional<std::vector<MappedType>> types_;  // of a captured table, once they were needed
  std::optional<sql::Dialect> listing_;
  Confirmation confirmation_;
};

}  // namespace outbox::mysql
