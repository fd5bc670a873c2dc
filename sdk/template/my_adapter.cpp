// A template for an adapter: an outbox in SQLite, for one relay at a time. README.md describes what to change.
#include <chrono>
#include <nlohmann/json.hpp>
#include <outbox/adapter.hpp>

#include "database.hpp"

namespace {
using namespace outbox;

// The options, which the sessions share. The relay creates one object when it starts. The constructor does no I/O.
struct Settings {
  Settings(const std::string& json, const outbox_host*) {
    const auto options = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
    if (!options.is_object()) throw Error(OUTBOX_BAD_CONFIG, "options: expected a JSON object");
    for (const auto& [key, value] : options.items())
      if (key != "path") throw Error(OUTBOX_BAD_CONFIG, "options: unknown key \"" + key + "\"");
    if (options.contains("path") && options["path"].is_string()) path = options["path"];
    if (path.empty()) throw Error(OUTBOX_BAD_CONFIG, "options: \"path\" must name the file of the database");
  }
  std::string path;
};

// Returns the present time in milliseconds since 1970 UTC, as in the column retry_at.
std::int64_t Now() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The adapter. Each object is one connection.
class MyAdapter : public StorageAdapter, public Emit {
 public:
  explicit MyAdapter(const std::shared_ptr<Settings>& settings) : db_(settings->path) {}

  // Reads from the oldest row every time; Add skips the outstanding rows. A row is returned when it is due, and only if
  // no earlier row of its key has failed. Retries and new rows alternate; the retry that has been due longest comes
  // first.
  void ReserveNewEvents(const ReserveRequest& request, BatchBuilder& batch) override {
    Ready().Run(
        "SELECT id, event_id, aggregate_id, event_type, topic, payload, headers, attempts FROM outbox_event e"
        " WHERE NOT delivered AND coalesce(retry_at, 0) <= ?1 AND NOT EXISTS (SELECT 1 FROM outbox_event f WHERE"
        " f.retry_at IS NOT NULL AND NOT f.delivered AND f.aggregate_id = e.aggregate_id AND f.id < e.id)"
        " ORDER BY row_number() OVER (PARTITION BY retry_at IS NULL ORDER BY retry_at, id), retry_at IS NULL",
        {Now()}, [&](sqlite3_stmt* row) {
          const auto at = [row](int column) { return Database::Column(row, column); };
          const auto attempts = static_cast<std::uint32_t>(sqlite3_column_int(row, 7));
          const std::int64_t id = sqlite3_column_int64(row, 0);
          if (attempts > 0 && EarlierComes(id, at(2), request)) return true;
          return batch.Add({id, *at(1), at(2), *at(3), *at(4), at(5), at(6), 0, attempts});
        });
  }

  // Deletes a row only if its event id matches too. If a trigger suppresses the delete (RAISE(IGNORE)), the row still
  // exists afterwards and is reported in `kept`. If a trigger refuses it (RAISE(ABORT)), Database throws
  // OUTBOX_REFUSED.
  void ConfirmEvent(ConfirmedRows rows, KeptRows& kept) override {
    Ready().Transaction([&] {
      for (const ConfirmedRow row : rows)
        db_.Run("DELETE FROM outbox_event WHERE id = ?1 AND event_id = ?2", {row.row_id.number(), row.event_id});
    });
    for (std::size_t i = 0; i < rows.size(); ++i)
      db_.Run("SELECT 1 FROM outbox_event WHERE id = ?1 AND event_id = ?2", {rows[i].row_id.number(), rows[i].event_id},
              [&](sqlite3_stmt*) {
                kept.Add(i);
                return true;
              });
  }

  void ConfirmFailed(Failures failures) override {
    // A row that is not to be retried is never due again. A blocked row also holds back the later rows of its key,
    // until an operator acts.
    constexpr auto kNever = std::int64_t{1} << 62;
    Ready().Transaction([&] {
      for (const Failure& f : failures)
        db_.Run(
            "UPDATE outbox_event SET attempts = attempts + 1, retry_at = ?3, error = ?4, delivered = ?5"
            " WHERE id = ?1 AND event_id = ?2",
            {f.row_id.number(), f.event_id,
             f.disposition == Disposition::kRetry ? Now() + f.retry_after.count() : kNever, f.text,
             std::int64_t{f.disposition == Disposition::kDelivered}});
    });
  }

  // The three functions below serve `outbox-relay emit` and the contract tests. An application executes its own INSERT.
  void BeginEmit() override { Ready().Run("BEGIN IMMEDIATE"); }
  void EndEmit(bool commit) override { Ready().Run(commit ? "COMMIT" : "ROLLBACK"); }
  void Insert(Events events) override {
    for (const Event& e : events)
      Ready().Run(
          "INSERT INTO outbox_event (event_id, aggregate_id, event_type, topic, payload, headers) VALUES"
          " (coalesce(nullif(?1, ''), lower(hex(randomblob(16)))), ?2, ?3, ?4, ?5, ?6)",
          {e.event_id, e.aggregate_id, e.event_type, e.topic, e.payload, e.headers});
  }

 private:
  // Returns true if an earlier row of the key is not outstanding and so is still to be read. A retry that is returned
  // before that row overtakes it.
  bool EarlierComes(std::int64_t id, const Bytes& key, const ReserveRequest& request) {
    bool comes = false;
    db_.Run("SELECT id FROM outbox_event WHERE aggregate_id = ?1 AND id < ?2 AND NOT delivered", {key, id},
            [&](sqlite3_stmt* row) {
              comes = !request.is_outstanding(sqlite3_column_int64(row, 0));
              return !comes;
            });
    return comes;
  }
  Database& Ready() {
    db_.SetTimeout(call().timeout);  // Every call has its own timeout.
    return db_;
  }
  Database db_;
};

}  // namespace

OUTBOX_REGISTER_SHARED_ADAPTER(MyAdapter, Settings, "mine", "0.1.0", OUTBOX_CAN_ORDER_KEYS | OUTBOX_ROW_IDS_ARE_NUMBERS)
