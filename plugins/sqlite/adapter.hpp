// SQLite: an outbox in the application's own database file.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "sql/leases.hpp"
#include "sql/lookout.hpp"
#include "sql/poison_marks.hpp"
#include "sql/schema.hpp"
#include "sql/tables.hpp"
#include "sql/version_gate.hpp"
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
  sql::Leases leases;
  sql::PoisonMarks poison_marks;

 private:
  explicit Config(std::map<std::string, std::string, std::less<>> options);
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
  // Opens the file if it is there. A missing file is an error of the first call that needs one: ApplySchema makes it.
  explicit Adapter(std::shared_ptr<Config> config);
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
  struct Failing;  // prepared statements
  struct Inserting;

  Connection& Db(bool create = false);  // at the start of every call
  void LookForHiddenRows(Connection& db);
  // Likewise, where the companion tables must have this version and be this outbox's. It asks once a session.
  Connection& OwnDb(sql::Access access = sql::Access::kWrites);
  Confirmation& Confirming();
  void Fail(const Failure& failure, long long row);
  // The steps for each row, all in one transaction; how many rows the first of them has changed.
  std::uint64_t Change(RowIds rows, std::initializer_list<const char*> steps);

  const std::shared_ptr<Config> config_;
  bool own_ = false;
  sql::VersionGate version_;  // of emit
  std::unique_ptr<Connection> connection_;
  // After the connection: their statements must be gone before it closes.
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Confirmation> confirmation_;
  std::unique_ptr<Failing> failing_;
  std::unique_ptr<Inserting> inserting_;
  std::unique_ptr<Watch> watch_;
  sql::Lookout lookout_;
};

}  // namespace outbox::sqlite
