// Functions that the commands share: they load the configuration, open the outbox and report a status.
#pragma once

#include <spdlog/fwd.h>

#include <memory>
#include <optional>
#include <string>

#include "cli/common/exit_code.hpp"
#include "config/config.hpp"
#include "storage/store.hpp"
#include "util/status.hpp"

namespace outbox::record {
class Shaper;
}

namespace outbox::cli {

// Prints "outbox-relay: <text>" on stderr, without passwords, unless the status is OK. Returns CodeOf(status).
int Report(const Status& status);
// Returns the exit code for a status.
[[nodiscard]] int CodeOf(const Status& status);

// Loads and checks a configuration file. Errors: OUTBOX_BAD_CONFIG if `file` is empty, is missing or contains mistakes.
[[nodiscard]] Result<config::Config> LoadConfig(const std::string& file);

// Loads the plugin and opens a store with the configured options. Opens no connection yet.
[[nodiscard]] Result<std::shared_ptr<storage::Store>> OpenStore(const config::Config& config,
                                                                std::shared_ptr<spdlog::logger> logger);

// Makes a logger for commands that report to the operator by their output. The logger writes only warnings and errors,
// or fewer entries if the configuration says so.
[[nodiscard]] std::shared_ptr<spdlog::logger> QuietLogger(const config::Log& log);

// An open outbox: its configuration, its store and one connection. Members are destroyed in reverse order, so the
// connection is closed before its store. Each command opens an Outbox of its own. Thread: one at a time.
struct Outbox {
  config::Config config;
  std::shared_ptr<storage::Store> store;
  std::unique_ptr<storage::Session> session;
  // The shaper that makes records from rows; nullptr if rows become records without any change, or if the record
  // section does not fit the columns.
  std::shared_ptr<const record::Shaper> shaper = nullptr;
  // Index of the captured column whose value consumers know as the event id; nothing = there is no such column.
  std::optional<std::size_t> id_column = std::nullopt;

  // Returns the limits of a call to the session: the configured timeout.
  [[nodiscard]] Call call() const { return {0, 0, config.relay.storage_timeout}; }
  // Parses a row id that a user or a script has entered. Returns nothing if no row of this outbox can have this id.
  [[nodiscard]] std::optional<storage::OwnedRowId> ParseRowId(std::string_view text) const {
    return storage::OwnedRowId::Parse(text, store->NumbersRows());
  }
};
// Loads a configuration and connects to its outbox.
[[nodiscard]] Result<Outbox> OpenOutbox(const std::string& config_file);

}  // namespace outbox::cli
