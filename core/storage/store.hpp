// The relay's side of the boundary to a plugin. C++ objects wrap the plugin's C tables: they release the plugin's
// memory, sessions and stores, check the values that the plugin returns, and turn its codes into Status. The thread
// rules are those of outbox/plugin.h.
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

// The events of one reservation. They can be read until the batch is destroyed. A batch keeps its store alive, and may
// be destroyed on any thread and after its session.
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
  // Returns the event at position i. If the plugin is older, the event may be shorter than outbox_event of this build.
  // The checks on the batch guarantee that the event has every field of ABI 1.0.
  [[nodiscard]] const outbox_event& operator[](std::size_t i) const {
    return *reinterpret_cast<const outbox_event*>(reinterpret_cast<const char*>(raw_.events) + i * raw_.event_size);
  }
  [[nodiscard]] std::uint64_t token() const { return raw_.token; }
  // Returns how long the reservation lasts, counted from the start of the reserve call; 0 = as long as the shard's
  // lease.
  [[nodiscard]] Millis lease_left() const { return Millis(raw_.lease_left_ms); }
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
  // The rows that the plugin must not return. The rows of an accepted batch are added to this set. NULL = the caller
  // has no outstanding rows.
  OutstandingRows* outstanding = nullptr;
};

// The changes of outbox.admin/1 that an operator can request.
enum class Change { kRequeue, kDiscard, kDiscardBlocked, kRetryNow, kRemoveDelivered };

// One connection to the outbox. Thread: any, but never two calls at once, except Cancel ([session] in outbox/plugin.h).
class Session {
 public:
  Session(std::shared_ptr<Store> store, outbox_session* raw) : store_(std::move(store)), raw_(raw) {}
  ~Session();
  Session(Session&&) = delete;

  // Reserves events. Errors: OUTBOX_INTERNAL if the batch breaks the contract; the text names the plugin and the rule.
  [[nodiscard]] Result<Batch> ReserveNewEvents(const ReserveRequest& order, const Call& call);
  // Confirms the rows. Sets `kept` to one element for each row: 1 = the database reported no error, but the row is
  // still in the outbox.
  [[nodiscard]] Status ConfirmEvent(std::span<const outbox_row> rows, std::vector<std::uint8_t>& kept,
                                    const Call& call);
  [[nodiscard]] Status ConfirmFailed(std::span<const outbox_failure> failures, const Call& call);
  [[nodiscard]] Status Release(std::span<const outbox_row_id> row_ids, const Call& call);
  void Cancel();

  // The methods below need extensions. Unless stated otherwise, they return OUTBOX_UNSUPPORTED if the plugin lacks the
  // extension.
  [[nodiscard]] Result<Lease> Heartbeat(std::string_view relay_id, Millis lease, const Call& call);
  [[nodiscard]] Status ReleaseShards(std::string_view relay_id, std::span<const outbox_owned_shard> shards,
                                     bool deregister, const Call& call);
  [[nodiscard]] Result<bool> WasLost(const Call& call);
  // Writes the poison mark on the row, or removes the mark if `row_id` is absent. Returns the number of consecutive
  // owners of the shard that have marked this row, including this relay.
  [[nodiscard]] Result<std::uint32_t> Mark(const std::optional<RowId>& row_id, const Call& call);
  [[nodiscard]] Status BeginEmit(const Call& call);
  [[nodiscard]] Status Insert(std::span<const outbox_event> events, const Call& call);
  [[nodiscard]] Status EndEmit(bool commit, const Call& call);
  // Returns the columns whose values each event carries, in the order of the values. The result is empty if the plugin
  // lacks the extension.
  [[nodiscard]] Result<std::vector<Column>> DescribeColumns(const Call& call);
  // Returns the columns of any table. The result is empty if there is no such table.
  [[nodiscard]] Result<std::vector<Column>> ColumnsOf(std::string_view table, const Call& call);
  // Checks that the source of the rows, such as the trigger of a capture, is in place and as configured. It also
  // returns OK if only the application inserts rows, or if the plugin lacks the extension. Errors: OUTBOX_BAD_CONFIG if
  // the source is missing or differs from the configuration.
  [[nodiscard]] Status VerifySource(const Call& call);
  [[nodiscard]] Status ApplySchema(const SchemaOptions& options, const Call& call);
  // Returns phrases that describe the changes that ApplySchema makes if it is called now. The result is also empty if
  // the plugin cannot determine the changes.
  [[nodiscard]] Result<std::vector<std::string>> PlanSchema(const SchemaOptions& options, const Call& call);
  [[nodiscard]] Result<std::vector<Finding>> CheckSchema(const Call& call);
  [[nodiscard]] Result<Statistics> ReadStats(const Call& call);
  // Waits for a wake-up. Returns true if rows may have been committed, false if no wake-up came within the call's
  // timeout.
  [[nodiscard]] Result<bool> WaitForRows(const Call& call);
  // Calls `found` for each event that matches the query. The record is valid only while `found` runs. `found` returns
  // false to end the list.
  [[nodiscard]] Status List(const Query& query, const std::function<bool(const Record&)>& found, const Call& call);
  // Applies the change to the given events. Returns the number of events that were changed.
  [[nodiscard]] Result<std::uint64_t> Apply(Change change, std::span<const outbox_row_id> row_ids, const Call& call);
  // Retries the removal of undeletable events. If `row_ids` is empty, the plugin chooses some that are due. Rows that
  // stay are due again after `again`. Returns the number of rows that are gone.
  [[nodiscard]] Result<std::uint64_t> RemoveDelivered(std::span<const outbox_row_id> row_ids, Millis again,
                                                      const Call& call);

  // Returns the plugin's session, for functions that have no method here: the contract tests call outbox.testing/1 with
  // it.
  [[nodiscard]] outbox_session* raw() const { return raw_; }

 private:
  std::shared_ptr<Store> store_;
  outbox_session* raw_;
};

// The outbox as a plugin has opened it. Sessions and batches keep it alive. Thread: any ([store] in outbox/plugin.h).
class Store : public std::enable_shared_from_this<Store> {
 public:
  // Opens a store with the plugin's open(), without I/O. `table` belongs to a plugin, or is compiled in
  // (outbox::detail::PluginTable). `options` is the text of a JSON object and may contain secret marks of `secrets`.
  [[nodiscard]] static Result<std::shared_ptr<Store>> Open(
      const outbox_plugin* table, std::string_view options, std::shared_ptr<spdlog::logger> logger,
      std::shared_ptr<config::Secrets> secrets = std::make_shared<config::Secrets>());
  // Like Open(), but wraps the store that `make` returns instead of calling the table's open().
  [[nodiscard]] static Result<std::shared_ptr<Store>> Adopt(const outbox_plugin* table,
                                                            const std::function<outbox_store*()>& make,
                                                            std::shared_ptr<spdlog::logger> logger);
  ~Store();
  Store(const Store&) = delete;

  // Opens a session with the current secrets. If they have changed and the plugin refuses them, opens the session with
  // the secrets with which a session was opened last.
  [[nodiscard]] Result<std::unique_ptr<Session>> Connect(const Call& call);
  [[nodiscard]] Result<std::string> PrintSchema(const SchemaOptions& options);

  [[nodiscard]] std::string_view name() const { return table_->name; }
  [[nodiscard]] std::string_view version() const { return table_->version; }
  [[nodiscard]] bool Can(std::uint64_t capability) const { return (table_->capabilities & capability) != 0; }
  // True if the row ids of the store are numbers; otherwise they are bytes.
  [[nodiscard]] bool NumbersRows() const { return Can(OUTBOX_ROW_IDS_ARE_NUMBERS); }
  [[nodiscard]] bool HasLeases() const { return leases_ != nullptr; }
  [[nodiscard]] bool HasPoison() const { return poison_ != nullptr; }
  [[nodiscard]] bool HasRecords() const { return admin_ != nullptr; }
  [[nodiscard]] bool HasColumns() const { return columns_ != nullptr; }
  [[nodiscard]] bool HasWakeUps() const { return wakeup_ != nullptr; }
  // True if a reserve call marks rows, so that rows that are given up must be released.
  [[nodiscard]] bool MarksRows() const { return table_->release_events != nullptr; }
  [[nodiscard]] const outbox_plugin& table() const { return *table_; }

 private:
  friend class Session;
  Store(const outbox_plugin* table, std::shared_ptr<spdlog::logger> logger, std::shared_ptr<config::Secrets> secrets);

  // The functions of outbox_host, which the plugin calls.
  static void FillText(void* store, outbox_bytes text, void* to, void (*give)(void*, outbox_bytes)) noexcept;
  static void HideText(void* store, outbox_bytes secret) noexcept;
  static void Log(void* store, std::int32_t level, const char* text, std::size_t size) noexcept;
  // Returns the options as they are passed to the plugin. Secrets are filled in, unless the plugin fills them in
  // itself.
  [[nodiscard]] Result<std::string> OptionsFor(std::string_view options) const;
  [[nodiscard]] Result<std::unique_ptr<Session>> ConnectWith(const config::Secrets::Values& values, const Call& call);
  Status FindExtensions();
  // Turns the result of a plugin's function into a Status with a known code and a text that names the plugin.
  Status Answer(const char* function, outbox_code code, outbox_error& error) const;
  // Returns OUTBOX_INTERNAL with a text that names the function of the plugin and the rule that it breaks.
  Status Blame(const char* function, const std::string& broken_rule) const;
  // Returns OUTBOX_UNSUPPORTED with a text that names the extension that the plugin lacks.
  Status Lacks(const char* extension) const;

  const outbox_plugin* table_;
  std::shared_ptr<spdlog::logger> logger_;
  outbox_host host_{};
  outbox_store* raw_ = nullptr;
  const std::shared_ptr<config::Secrets> secrets_;
  std::string options_;  // the options as they were passed to the plugin
  std::mutex secrets_mutex_;
  config::Secrets::Values worked_;  // the secrets with which a session was opened last
  std::string refused_;             // the options, with secrets filled in, whose refusal was logged last
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
