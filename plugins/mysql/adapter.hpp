// MySQL 8.0 and newer, MariaDB 10.6 and newer.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "mysql/confirm.hpp"
#include "mysql/options.hpp"
#include "mysql/reader.hpp"
#include "mysql/wire.hpp"
#include "outbox/adapter.hpp"
#include "sql/leases.hpp"
#include "sql/lookout.hpp"
#include "sql/schema.hpp"
#include "sql/suspects.hpp"
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
  sql::Suspects suspects;
  // There may be failed events. Only saves the confirming session a look: what it confirms was read in this process, and
  // that read knew.
  std::atomic<bool> troubled = true;

 private:
  Config(const std::string& json, const Secrets& secrets, const std::string& table);
  const std::string json_;  // as the operator wrote it, with marks of secrets
  const Secrets secrets_;
};

class Adapter : public StorageAdapter,
                public LeaseKeeping,
                public Suspecting,
                public Emitting,
                public SchemaKeeping,
                public Counting,
                public DeadLetters,
                public Testable {
 public:
  Adapter(std::shared_ptr<Config> config, const Call& call);
  ~Adapter() override;

  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override;
  void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) override;
  void ConfirmFailed(Failures failures) override;
  void Cancel() noexcept override;

  Lease Heartbeat(std::string_view relay_id, Millis lease) override;
  void ReturnShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool leave) override;
  bool WasLost() override { return config_->suspects.WasLost(Db(), call()); }
  std::uint32_t Mark(Bytes row) override { return config_->suspects.Mark(Db(), call(), row); }

  void BeginEmit() override;
  void Insert(Events events) override;
  void EndEmit(bool commit) override;

  static std::string PrintSchema(const Config& config, const SchemaWish& wish);
  void ApplySchema(const SchemaWish& wish) override;
  std::vector<std::string> PlanSchema(const SchemaWish& wish) override;
  std::vector<Finding> CheckSchema() override;

  Stats ReadStats() override;

  void List(const Inquiry& inquiry, const Found& found) override;
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
  Wire& Db();  // at the start of every call
  // Likewise, where the companion tables must have this version and be this outbox's. It asks once a session.
  Wire& OwnDb(sql::Access access = sql::Access::kWrites);
  void LookForHiddenRows(Wire& db);
  void RequireOutbox(Wire& db);  // before migrate changes anything

  const std::shared_ptr<Config> config_;
  bool own_ = false;
  sql::VersionGate version_;  // of emit, which may have no rights on the companions
  const Options options_;     // that this session was opened with
  Wire wire_;
  Reader reader_;
  Confirmation confirmation_;
  sql::Lookout lookout_;
};

// Those of `rows` that are ids of ours, ascending.
[[nodiscard]] std::vector<long long> SortedIds(RowIds rows);

}  // namespace outbox::mysql
