// PostgreSQL 13 and newer.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/client.hpp"
#include "postgres/columns.hpp"
#include "postgres/confirm.hpp"
#include "postgres/connect.hpp"
#include "postgres/pooler.hpp"
#include "postgres/reader.hpp"
#include "sql/leases.hpp"
#include "sql/lookout.hpp"
#include "sql/poison_marks.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"
#include "sql/version_gate.hpp"

namespace outbox::postgres {

// {"connection": "host=... dbname=...", "table": "outbox_event"}. What the sessions share.
struct Config {
  Config(const std::string& json, const outbox_host* host);
  // With the secrets as they are now.
  [[nodiscard]] std::string Connection() const { return CompleteConnection(connection_, secrets_); }
  sql::Tables tables;
  sql::Leases leases;
  sql::PoisonMarks poison_marks;

  // The same with a schema, which a connection has found for a table that is configured without one.
  [[nodiscard]] std::shared_ptr<Config> Within(const std::string& schema) const;

 private:
  Config(std::map<std::string, std::string, std::less<>> options, const Secrets& secrets);
  const std::string connection_;  // as the operator wrote it, with marks of secrets
  const Secrets secrets_;
};

class Adapter : public StorageAdapter,
                public Leases,
                public Poison,
                public WakeUp,
                public Emit,
                public Schema,
                public Stats,
                public Admin,
                public Testing {
 public:
  explicit Adapter(std::shared_ptr<Config> config, const Call& call = {0, 0, Millis(5000)});
  ~Adapter() override;

  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override;
  void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) override;
  void ConfirmFailed(Failures failures) override;
  void Cancel() noexcept override;

  Lease Heartbeat(std::string_view relay_id, Millis lease) override;
  void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool deregister) override;
  bool WasLost() override { return config_->poison_marks.WasLost(Db(), call()); }
  std::uint32_t Mark(Bytes row) override { return config_->poison_marks.Mark(Db(), call(), row); }

  bool Wait() override;

  void BeginEmit() override;
  void Insert(Events events) override;
  void EndEmit(bool commit) override;

  static std::string PrintSchema(const Config& config, const SchemaOptions& options);
  void ApplySchema(const SchemaOptions& options) override;
  std::vector<std::string> PlanSchema(const SchemaOptions& options) override;
  std::vector<Finding> CheckSchema() override;

  Statistics ReadStats() override;

  void List(const Query& query, const Found& found) override;
  std::uint64_t Requeue(RowIds rows) override;
  std::uint64_t Discard(RowIds rows) override;
  std::uint64_t DiscardBlocked(RowIds rows) override;
  std::uint64_t RetryNow(RowIds rows) override;
  std::uint64_t RemoveDelivered(RowIds rows, Millis again) override;

  void Reset() override;
  void ExpireLeases() override;
  void MakeRetriesDue() override;
  TestState StateOf(std::string_view event_id) override;

 private:
  // At the start of every call of a relay that runs: a session of its own, from which no row is hidden, or BAD_CONFIG.
  Client& Db();
  // At the start of every call of an operator: a session that may be shared, in which nothing stays behind.
  Client& Borrowed();
  void LookForHiddenRows(Client& db);
  void RequireOutbox(Client& db);  // before migrate changes anything
  const EventColumns& Columns();
  // Once a session: the companion tables have this version and are this outbox's.
  void RequireOwn(sql::Statements& db, sql::Access access = sql::Access::kWrites);
  Confirmation& Confirming();
  std::uint64_t Change(const char* sql, RowIds rows);  // of outbox.admin/1

  const std::shared_ptr<Config> given_;
  const std::string connection_;  // that this session was opened with
  std::unique_ptr<Client> client_;
  // With the schema: every statement names it, so that neither a search path nor a temporary table leads elsewhere.
  const std::shared_ptr<Config> config_;
  bool own_ = false;
  sql::VersionGate version_;  // of emit, which may have no rights on the companions
  SessionGuard session_;
  sql::Lookout lookout_;  // for hidden rows
  // Learnt and prepared when first needed: a session must open also where there is no table yet.
  std::optional<EventColumns> columns_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Confirmation> confirmation_;
  bool inserts_ = false;  // prepared
  bool listens_ = false;
  std::chrono::steady_clock::time_point heard_;  // the server's last answer to Wait
};

}  // namespace outbox::postgres
