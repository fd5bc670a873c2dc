// PostgreSQL 13 and newer.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outbox/adapter.hpp"
#include "postgres/columns.hpp"
#include "postgres/operator.hpp"
#include "postgres/reader.hpp"
#include "postgres/wire.hpp"
#include "sql/leases.hpp"
#include "sql/suspects.hpp"
#include "sql/tables.hpp"

namespace outbox::postgres {

// {"connection": "host=... dbname=...", "table": "outbox_event"}. What the sessions share.
struct Config {
  Config(const std::string& json, const outbox_host* host);
  std::string connection;
  sql::Tables tables;
  sql::Leases leases;
  sql::Suspects suspects;

 private:
  explicit Config(std::map<std::string, std::string, std::less<>> options);
};

class Adapter : public StorageAdapter,
                public LeaseKeeping,
                public Suspecting,
                public WakingUp,
                public Emitting,
                public SchemaKeeping,
                public Counting,
                public DeadLetters,
                public Testable {
 public:
  explicit Adapter(std::shared_ptr<Config> config, const Call& call = {0, 0, Millis(5000)});
  ~Adapter() override;

  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override;
  void ConfirmEvent(RowIds rows) override;
  void ConfirmFailed(Failures failures) override;
  void Cancel() noexcept override;

  Lease Heartbeat(std::string_view relay_id, Millis lease) override;
  void ReturnShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool leave) override;
  bool WasLost() override { return config_->suspects.WasLost(Db(), call()); }
  std::uint32_t Mark(Bytes row) override { return config_->suspects.Mark(Db(), call(), row); }

  bool Wait() override;

  void BeginEmit() override;
  void Insert(Events events) override;
  void EndEmit(bool commit) override;

  static std::string PrintSchema(const Config& config, const SchemaWish& wish);
  void ApplySchema(const SchemaWish& wish) override;
  std::vector<Finding> CheckSchema() override;

  Stats ReadStats() override;

  void List(const Inquiry& inquiry, const Found& found) override;
  std::uint64_t Requeue(RowIds rows) override;
  std::uint64_t Discard(RowIds rows) override;
  std::uint64_t DiscardBlocked(RowIds rows) override;
  std::uint64_t RetryNow(RowIds rows) override;

  void Reset() override;
  void ExpireLeases() override;
  void MakeRetriesDue() override;
  TestState StateOf(std::string_view event_id) override;

 private:
  Wire& Db();            // at the start of every call of the relay
  Operator& Ordinary();  // likewise, of an operator
  const EventColumns& Columns();
  std::uint64_t Change(const char* sql, RowIds rows);  // of outbox.dead/1

  const std::shared_ptr<Config> config_;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<Operator> operator_;  // has a connection of its own; once it is needed
  // Learnt and prepared when first needed: a session must open also where there is no table yet.
  std::optional<EventColumns> columns_;
  std::unique_ptr<Reader> reader_;
  bool confirms_ = false, inserts_ = false;  // prepared
  bool listens_ = false;
  std::chrono::steady_clock::time_point heard_;  // the server's last answer to Wait
};

}  // namespace outbox::postgres
