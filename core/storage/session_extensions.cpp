// Methods of Session that use extensions of the plugin, except outbox.admin/1.
#include <bitset>

#include "storage/raw_call.hpp"
#include "storage/store.hpp"

namespace outbox::storage {
namespace {

constexpr std::size_t kMaxShards = 256;  // the limit in outbox/ext/leases.h

const char* BrokenRule(const outbox_lease& lease) {
  if (lease.shards_total == 0 || lease.shards_total > kMaxShards) return "shards_total is not within 1 .. 256";
  if (lease.owned_count > lease.shards_total) return "owned_count is more than shards_total";
  std::bitset<kMaxShards> seen;
  for (std::size_t i = 0; i < lease.owned_count; ++i) {
    const outbox_owned_shard& owned = lease.owned[i];
    if (owned.shard >= lease.shards_total) return "an owned shard's number is not below shards_total";
    if (seen.test(owned.shard)) return "a shard is named twice";
    if (owned.state != OUTBOX_SHARD_OWNED && owned.state != OUTBOX_SHARD_RELEASE)
      return "an owned shard is in a state that outbox.leases/1 does not have";
    seen.set(owned.shard);
  }
  return nullptr;
}

void AddColumn(void* to, const outbox_column* column) {
  static_cast<std::vector<Column>*>(to)->push_back({std::string(View(column->name)), std::string(View(column->type)),
                                                    column->kind, column->role, column->nullable != 0, column->scale});
}

}  // namespace

Result<Lease> Session::Heartbeat(std::string_view relay_id, Millis lease, const Call& call) {
  if (store_->leases_ == nullptr) return store_->Lacks(OUTBOX_LEASES_V1);
  Lease held;
  held.owned.resize(kMaxShards);
  outbox_lease raw{};
  raw.struct_size = sizeof raw;
  raw.owned = held.owned.data();
  raw.capacity = held.owned.size();

  RawCall asked(call);
  const outbox_code code =
      store_->leases_->heartbeat(raw_, Raw(relay_id), lease.count(), &asked.call, &raw, &asked.error);
  if (Status status = store_->Answer("leases.heartbeat", code, asked.error); !status.ok()) return status;
  raw.owned = held.owned.data();
  if (const char* rule = BrokenRule(raw)) return store_->Blame("leases.heartbeat", rule);

  held.owned.resize(raw.owned_count);
  held.shards_total = raw.shards_total;
  held.live_relays = raw.live_relays;
  held.left = Millis(raw.lease_left_ms);
  held.namesakes = raw.namesakes;
  return held;
}

Status Session::ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards, bool deregister,
                              const Call& call) {
  if (store_->leases_ == nullptr) return store_->Lacks(OUTBOX_LEASES_V1);
  RawCall asked(call);
  const outbox_code code = store_->leases_->release_shards(raw_, Raw(relay_id), shards.data(), shards.size(),
                                                           deregister ? 1 : 0, &asked.call, &asked.error);
  return store_->Answer("leases.release_shards", code, asked.error);
}

Result<bool> Session::WasLost(const Call& call) {
  if (store_->poison_ == nullptr) return store_->Lacks(OUTBOX_POISON_V1);
  RawCall asked(call);
  std::uint32_t lost = 0;
  const outbox_code code = store_->poison_->was_lost(raw_, &asked.call, &lost, &asked.error);
  if (Status status = store_->Answer("poison.was_lost", code, asked.error); !status.ok()) return status;
  return lost != 0;
}

Result<std::uint32_t> Session::Mark(const std::optional<RowId>& row_id, const Call& call) {
  if (store_->poison_ == nullptr) return store_->Lacks(OUTBOX_POISON_V1);
  RawCall asked(call);
  std::uint32_t owners = 0;
  const outbox_row_id raw = Raw(row_id.value_or(RowId()));
  const outbox_code code = store_->poison_->mark(raw_, row_id ? &raw : nullptr, &asked.call, &owners, &asked.error);
  if (Status status = store_->Answer("poison.mark", code, asked.error); !status.ok()) return status;
  return owners;
}

Status Session::BeginEmit(const Call& call) {
  if (store_->emit_ == nullptr) return store_->Lacks(OUTBOX_EMIT_V1);
  RawCall asked(call);
  return store_->Answer("emit.begin", store_->emit_->begin(raw_, &asked.call, &asked.error), asked.error);
}

Status Session::Insert(std::span<const outbox_event> events, const Call& call) {
  if (store_->emit_ == nullptr) return store_->Lacks(OUTBOX_EMIT_V1);
  RawCall asked(call);
  const outbox_code code =
      store_->emit_->insert(raw_, events.data(), events.size(), sizeof(outbox_event), &asked.call, &asked.error);
  return store_->Answer("emit.insert", code, asked.error);
}

Status Session::EndEmit(bool commit, const Call& call) {
  if (store_->emit_ == nullptr) return store_->Lacks(OUTBOX_EMIT_V1);
  RawCall asked(call);
  const outbox_code code = store_->emit_->end(raw_, commit ? 1 : 0, &asked.call, &asked.error);
  return store_->Answer("emit.end", code, asked.error);
}

Result<std::vector<Column>> Session::DescribeColumns(const Call& call) {
  std::vector<Column> columns;
  if (store_->columns_ == nullptr) return columns;
  RawCall asked(call);
  const outbox_code code = store_->columns_->describe(raw_, &asked.call, &columns, AddColumn, &asked.error);
  if (Status status = store_->Answer("columns.describe", code, asked.error); !status.ok()) return status;
  return columns;
}

Result<std::vector<Column>> Session::ColumnsOf(std::string_view table, const Call& call) {
  std::vector<Column> columns;
  if (store_->columns_ == nullptr || store_->columns_->columns_of == nullptr) return store_->Lacks(OUTBOX_COLUMNS_V1);
  RawCall asked(call);
  const outbox_code code =
      store_->columns_->columns_of(raw_, Raw(table), &asked.call, &columns, AddColumn, &asked.error);
  if (Status status = store_->Answer("columns.columns_of", code, asked.error); !status.ok()) return status;
  return columns;
}

Status Session::VerifySource(const Call& call) {
  if (store_->columns_ == nullptr || store_->columns_->verify == nullptr) return {};
  RawCall asked(call);
  const outbox_code code = store_->columns_->verify(raw_, &asked.call, &asked.error);
  return store_->Answer("columns.verify", code, asked.error);
}

Status Session::ApplySchema(const SchemaOptions& options, const Call& call) {
  if (store_->schema_ == nullptr) return store_->Lacks(OUTBOX_SCHEMA_V1);
  const outbox_schema_options raw_options = ToRaw(options);
  RawCall asked(call);
  const outbox_code code = store_->schema_->apply(raw_, &raw_options, &asked.call, &asked.error);
  return store_->Answer("schema.apply", code, asked.error);
}

Result<std::vector<std::string>> Session::PlanSchema(const SchemaOptions& options, const Call& call) {
  if (store_->schema_ == nullptr) return store_->Lacks(OUTBOX_SCHEMA_V1);
  std::vector<std::string> changes;
  if (!OUTBOX_HAS(outbox_schema_v1, store_->schema_, plan) || store_->schema_->plan == nullptr) return changes;
  const auto add = [](void* to, outbox_bytes what) {
    static_cast<std::vector<std::string>*>(to)->emplace_back(View(what));
  };
  const outbox_schema_options raw_options = ToRaw(options);
  RawCall asked(call);
  const outbox_code code = store_->schema_->plan(raw_, &raw_options, &asked.call, &changes, add, &asked.error);
  if (Status status = store_->Answer("schema.plan", code, asked.error); !status.ok()) return status;
  return changes;
}

Result<std::vector<Finding>> Session::CheckSchema(const Call& call) {
  if (store_->schema_ == nullptr) return store_->Lacks(OUTBOX_SCHEMA_V1);
  std::vector<Finding> findings;
  const auto add = [](void* to, std::int32_t severity, outbox_bytes what, outbox_bytes fix) {
    static_cast<std::vector<Finding>*>(to)->push_back(
        {severity != OUTBOX_FINDING_WARNING && severity != OUTBOX_FINDING_NOTE, std::string(View(what)),
         std::string(View(fix)), severity == OUTBOX_FINDING_NOTE});
  };
  RawCall asked(call);
  const outbox_code code = store_->schema_->check(raw_, &asked.call, &findings, add, &asked.error);
  if (Status status = store_->Answer("schema.check", code, asked.error); !status.ok()) return status;
  return findings;
}

Result<Statistics> Session::ReadStats(const Call& call) {
  if (store_->stats_ == nullptr) return store_->Lacks(OUTBOX_STATS_V1);
  Statistics stats;
  const auto add = [](void* to, const outbox_shard_holder* holder) {
    const Bytes relay = Maybe(holder->relay_id);
    static_cast<Statistics*>(to)->holders.push_back({holder->shard, holder->token,
                                                     relay ? std::optional<std::string>(*relay) : std::nullopt,
                                                     Millis(holder->expires_in_ms)});
  };
  outbox_stats raw{};
  raw.struct_size = sizeof raw;
  RawCall asked(call);
  const outbox_code code = store_->stats_->read(raw_, &asked.call, &raw, &stats, add, &asked.error);
  if (Status status = store_->Answer("stats.read", code, asked.error); !status.ok()) return status;

  stats.backlog = raw.backlog;
  stats.backlog_precision = raw.backlog_precision <= OUTBOX_COUNT_AT_LEAST
                                ? static_cast<Precision>(raw.backlog_precision)
                                : Precision::kEstimate;
  stats.retrying = raw.retrying;
  stats.blocked = raw.blocked;
  stats.dead = raw.dead;
  stats.undeletable = raw.undeletable;
  stats.oldest_age = Millis(std::max<std::int64_t>(-1, raw.oldest_age_ms));
  stats.shards_total = raw.shards_total;
  stats.shards_owned = raw.shards_owned;
  stats.live_relays = raw.live_relays;
  return stats;
}

Result<bool> Session::WaitForRows(const Call& call) {
  if (store_->wakeup_ == nullptr) return store_->Lacks(OUTBOX_WAKEUP_V1);
  RawCall asked(call);
  const outbox_code code = store_->wakeup_->wait(raw_, &asked.call, &asked.error);
  if (code == OUTBOX_TIMEOUT) return false;
  if (Status status = store_->Answer("wakeup.wait", code, asked.error); !status.ok()) return status;
  return true;
}

}  // namespace outbox::storage
