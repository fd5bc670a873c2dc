// The relay's side of the plugin boundary: the C table as C++ objects that free themselves, check what the plugin
// returns, and turn codes into Status. Thread rules are those of outbox/plugin.h.
#pragma once

#include <spdlog/fwd.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "config/secret_values.hpp"
#include "outbox/adapter.hpp"
#include "storage/outstanding_rows.hpp"
#include "storage/owned_row_id.hpp"
#include "util/status.hpp"

namespace outbox::storage {

class Store;

// Events of one reservation. Readable until destroyed; may be destroyed on any thread, also after its session,
// and keeps its store alive.
class Batch {
 public:
  Batch() = default;
  Batch(std::shared_ptr<Store> store, const outbox_batch& raw) : store_(std::move(store)), raw_(raw) {}
  ~Batch() { Free(); }
  Batch(Batch&& other) noexcept : store_(std::move(other.store_)), raw_(std::exchange(other.raw_, {})) {}
  Batch& operator=(Batch&& other) noexcept {
    if (this != &other) {
      Free();
      store_ = std::move(other.store_);
      raw_ = std::exchange(other.raw_, {});
    }
    return *this;
  }

  [[nodiscard]] std::size_t size() const { return raw_.count; }
  [[nodiscard]] bool empty() const { return raw_.count == 0; }
  // May be shorter than outbox_event of this build where the plugin is older; the checks guarantee every field of
  // ABI 1.0.
  [[nodiscard]] const outbox_event& operator[](std::size_t i) const {
    return *reinterpret_cast<const outbox_event*>(reinterpret_cast<const char*>(raw_.events) + i * raw_.event_size);
  }
  [[nodiscard]] std::uint64_t token() const { return raw_.token; }
  [[nodiscard]] Millis lease_left() const { return Millis(raw_.lease_left_ms); }  // 0 = the shard's lease
  [[nodiscard]] bool more() const { return raw_.more != 0; }
  [[nodiscard]] std::uint32_t rescan() const { return raw_.rescan; }  // an OUTBOX_RESCAN_... value
  [[nodiscard]] std::size_t arena_bytes() const { return raw_.arena_bytes; }

 private:
  void Free() {
    if (raw_.release != nullptr) raw_.release(&raw_);
    raw_.release = nullptr;
  }
  std::shared_ptr<Store> store_;
  outbox_batch raw_{};
};

struct ReserveRequest {
  std::uint32_t max_events = 1;
  std::uint64_t max_bytes = 0;
  Millis reserve_duration{0};
  std::string_view relay_id;
  std::uint32_t mode = OUTBOX_READ_ON;  // or OUTBOX_REWIND, OUTBOX_RESCAN
  bool skip_retries = false;
  // Rows that the plugin must not bring. A batch that is accepted has been added to them. NULL = the caller holds none.
  OutstandingRows* outstanding = nullptr;
};

enum class Change { kRequeue, kDiscard, kDiscardBlocked, kRetryNow, kRemoveDelivered };  // of outbox.admin/1

// One connection. [session]: any thread, never two calls at once, except Cancel.
class Session {
 public:
  Session(std::shared_ptr<Store> store, outbox_session* raw) : store_(std::move(store)), raw_(raw) {}
  ~Session();
  Session(Session&&) = delete;

  // Refuses a batch that breaks the contract (OUTBOX_INTERNAL, naming plugin and rule).
  [[nodiscard]] Result<Batch> ReserveNewEvents(const ReserveRequest& order, const Call& call);
  // `kept` gets a place for each row: 1 = the removal was carried out, and the row is still there.
  [[nodiscard]] Status ConfirmEvent(std::span<const outbox_row> rows, std::vector<std::uint8_t>& kept,
                                    const Call& call);
  [[nodiscard]] Status ConfirmFailed(std::span<const outbox_failure> failures, const Call& call);
  [[nodiscard]] Status Release(std::span<const outbox_row_id> row_ids, const Call& call);
  void Cancel();

  // OUTBOX_UNSUPPORTED where the plugin lacks the extension.
  [[nodiscard]] Result<Lease> Heartbeat(std::string_view relay_id, Millis lease, const Call& call);
  [[nodiscard]] Status ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards,
                                     bool deregister, const Call& call);
  [[nodiscard]] Result<bool> WasLost(const Call& call);
  // For how many owners in a row; absent = forget the mark.
  [[nodiscard]] Result<std::uint32_t> Mark(const std::optional<RowId>& row_id, const Call& call);
  [[nodiscard]] Status BeginEmit(const Call& call);
  [[nodiscard]] Status Insert(std::span<const outbox_event> events, const Call& call);
  [[nodiscard]] Status EndEmit(bool commit, const Call& call);
  // Of the values that events bring, in their order. Empty where the plugin lacks the extension.
  [[nodiscard]] Result<std::vector<Column>> DescribeColumns(const Call& call);
  // Of any table; empty = there is none.
  [[nodiscard]] Result<std::vector<Column>> ColumnsOf(std::string_view table, const Call& call);
  // OUTBOX_BAD_CONFIG: what brings the rows is not in place. OK also where nothing does but the application.
  [[nodiscard]] Status VerifySource(const Call& call);
  [[nodiscard]] Status ApplySchema(const SchemaOptions& options, const Call& call);
  // What ApplySchema would change, as phrases. Empty also where the plugin cannot say.
  [[nodiscard]] Result<std::vector<std::string>> PlanSchema(const SchemaOptions& options, const Call& call);
  [[nodiscard]] Result<std::vector<Finding>> CheckSchema(const Call& call);
  [[nodiscard]] Result<Statistics> ReadStats(const Call& call);
  // True = rows may have been committed, false = nothing was seen within the call's timeout.
  [[nodiscard]] Result<bool> WaitForRows(const Call& call);
  // What `found` is given lives until it returns; it answers false = enough.
  [[nodiscard]] Status List(const Query& query, const std::function<bool(const Record&)>& found, const Call& call);
  // How many events were changed.
  [[nodiscard]] Result<std::uint64_t> Apply(Change change, std::span<const outbox_row_id> row_ids, const Call& call);
  // Tries to remove those that were recorded as delivered; no ids = some of those that are due. How many are gone.
  [[nodiscard]] Result<std::uint64_t> RemoveDelivered(std::span<const outbox_row_id> row_ids, Millis again,
                                                      const Call& call);

  // For what has no method here: the contract tests reach outbox.testing/1 through it.
  [[nodiscard]] outbox_session* raw() const { return raw_; }

 private:
  std::shared_ptr<Store> store_;
  outbox_session* raw_;
};

// The outbox. [store]: any thread. Sessions and batches keep it alive.
class Store : public std::enable_shared_from_this<Store> {
 public:
  // `table` is a plugin's, or one compiled in (outbox::detail::PluginTable). Options: JSON object text, which may hold
  // marks of `secrets`. Does no I/O.
  [[nodiscard]] static Result<std::shared_ptr<Store>> Open(
      const outbox_plugin* table, std::string_view options, std::shared_ptr<spdlog::logger> logger,
      std::shared_ptr<config::Secrets> secrets = std::make_shared<config::Secrets>());
  // The same for a store that `make` has ready, where the table's own open() would make one.
  [[nodiscard]] static Result<std::shared_ptr<Store>> Adopt(const outbox_plugin* table,
                                                            const std::function<outbox_store*()>& make,
                                                            std::shared_ptr<spdlog::logger> logger);
  ~Store();
  Store(const Store&) = delete;

  // With the secrets as they are now; where the plugin refuses new ones, with those that worked last.
  [[nodiscard]] Result<std::unique_ptr<Session>> Connect(const Call& call);
  [[nodiscard]] Result<std::string> PrintSchema(const SchemaOptions& options);

  [[nodiscard]] std::string_view name() const { return table_->name; }
  [[nodiscard]] std::string_view version() const { return table_->version; }
  [[nodiscard]] bool Can(std::uint64_t capability) const { return (table_->capabilities & capability) != 0; }
  // The form of its row ids; else they are bytes.
  [[nodiscard]] bool NumbersRows() const { return Can(OUTBOX_ROW_IDS_ARE_NUMBERS); }
  [[nodiscard]] bool HasLeases() const { return leases_ != nullptr; }
  [[nodiscard]] bool HasPoison() const { return poison_ != nullptr; }
  [[nodiscard]] bool HasRecords() const { return admin_ != nullptr; }
  [[nodiscard]] bool HasColumns() const { return columns_ != nullptr; }
  [[nodiscard]] bool HasWakeUps() const { return wakeup_ != nullptr; }
  // Does reserving leave a mark on rows, so that rows given up must be released?
  [[nodiscard]] bool MarksRows() const { return table_->release_events != nullptr; }
  [[nodiscard]] const outbox_plugin& table() const { return *table_; }

 private:
  friend class Session;
  Store(const outbox_plugin* table, std::shared_ptr<spdlog::logger> logger, std::shared_ptr<config::Secrets> secrets);

  static void FillText(void* store, outbox_bytes text, void* to, void (*give)(void*, outbox_bytes)) noexcept;
  static void HideText(void* store, outbox_bytes secret) noexcept;
  // The options as the plugin is to be given them.
  [[nodiscard]] Result<std::string> OptionsFor(std::string_view options) const;
  [[nodiscard]] Result<std::unique_ptr<Session>> ConnectWith(const config::Secrets::Values& values, const Call& call);
  static void Log(void* store, std::int32_t level, const char* text, std::size_t size) noexcept;
  Status FindExtensions();
  // What the plugin answered, as the core sees it: known codes only, and a text that names the plugin.
  Status Answer(const char* function, outbox_code code, outbox_error& error) const;
  Status Blame(const char* function, const std::string& broken_rule) const;
  Status Lacks(const char* extension) const;

  const outbox_plugin* table_;
  std::shared_ptr<spdlog::logger> logger_;
  outbox_host host_{};
  outbox_store* raw_ = nullptr;
  const std::shared_ptr<config::Secrets> secrets_;
  std::string options_;  // as the plugin was given them
  std::mutex secrets_mutex_;
  config::Secrets::Values worked_;  // with which a connection was opened last
  std::string refused_;             // the options, filled in, that were logged as refused
  const outbox_leases_v1* leases_ = nullptr;
  const outbox_emit_v1* emit_ = nullptr;
  const outbox_schema_v1* schema_ = nullptr;
  const outbox_stats_v1* stats_ = nullptr;
  const outbox_admin_v1* admin_ = nullptr;
  const outbox_poison_v1* poison_ = nullptr;
  const outbox_wakeup_v1* wakeup_ = nullptr;
  const outbox_columns_v1* columns_ = nullptr;
};

}  // namespace outbox::storage
