// MySQL 8.0 and newer, MariaDB 10.6 and newer.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "mysql/client.hpp"
#include "mysql/confirm.hpp"
#include "mysql/options.hpp"
#include "mysql/reader.hpp"
#include "outbox/adapter.hpp"
#include "sql/leases.hpp"
#include "sql/lookout.hpp"
#include "sql/poison_marks.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"
#include "sql/version_gate.hpp"

namespace outbox::mysql {

// What the sessions share.
struct Config {
  Config(const std::string& json, const outbox_host* host);
  // With the secrets as they are now.
  [[nodiscard]] Options CurrentOptions() const { return {json_, secrets_}; }
  sql::Tables tables;
  sql::Leases leases;
  sql::PoisonMarks poison_marks;
  // There may be failed events. Only saves the confirming session a look: what it confirms was read in this process, and
  // that read knew.
  std::atomic<bool> troubled = true;

 private:
  Config(const std::string& json, const Secrets& secrets, const std::string& table);
  const std::string json_;  // as the operator wrote it, with marks of secrets
  const Secrets secrets_;
};

class Adapter : public StorageAdapter,
                public Leases,
                public Poison,
                public Emit,
                public Schema,
                public Stats,
                public Admin,
                public Testing {
 public:
  Adapter(std::shared_ptr<Config> config, const Call& call);
  ~Adapter() override;

  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override;
  void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) override;
  void ConfirmFailed(Failures failures) override;
  void Cancel() noexcept override;

  Lease Heartbeat(std::string_view relay_id, Millis lease) override;
  void ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool deregister) override;
  bool WasLost() override { return config_->poison_marks.WasLost(Db(), call()); }
  std::uint32_t Mark(Bytes row) override { return config_->poison_marks.Mark(Db(), call(), row); }

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
  Client& Db();  // at the start of every call
  // Likewise, where the companion tables must have this version and be this outbox's. It asks once a session.
  Client& OwnDb(sql::Access access = sql::Access::kWrites);
  void LookForHiddenRows(Client& db);
  void RequireOutbox(Client& db);  // before migrate changes anything

  const std::shared_ptr<Config> config_;
  bool own_ = false;
  sql::VersionGate version_;  // of emit, which may have no rights on the companions
  const Options options_;     // that this session was opened with
  Client client_;
  Reader reader_;
  Confirmation confirmation_;
  sql::Lookout lookout_;
};

// Those of `rows` that are ids of ours, ascending.
[[nodiscard]] std::vector<long long> SortedIds(RowIds rows);

}  // namespace outbox::mysql
