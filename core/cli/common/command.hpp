// What the commands share: from the configuration to the open outbox, and how a status is reported.
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

// "outbox-relay: <text>" on stderr, without passwords; returns the exit code of the status.
int Report(const Status& status);
[[nodiscard]] int CodeOf(const Status& status);

// OUTBOX_BAD_CONFIG where the file is not named, not there or wrong.
[[nodiscard]] Result<config::Config> LoadConfig(const std::string& file);

// Loads the plugin and hands it its options; nothing is connected yet.
[[nodiscard]] Result<std::shared_ptr<storage::Store>> OpenStore(const config::Config& config,
                                                                std::shared_ptr<spdlog::logger> logger);

// For commands that talk to the operator by their output: the log is for what goes wrong.
[[nodiscard]] std::shared_ptr<spdlog::logger> QuietLogger(const config::Log& log);

// Everything from the file to the open connection; keeps it together, in the order in which it must go.
struct Outbox {
  config::Config config;
  std::shared_ptr<storage::Store> store;
  std::unique_ptr<storage::Session> session;
  // Makes records of the rows; nullptr = a row is a record as it is, or the record section does not fit the columns.
  std::shared_ptr<const record::Shaper> shaper = nullptr;
  // Of captured rows: the place of the column that consumers know as the event's id; nothing = there is none.
  std::optional<std::size_t> id_column = std::nullopt;

  [[nodiscard]] Call call() const { return {0, 0, config.relay.storage_timeout}; }
  // A row id that a person or a script gives; nothing if no row of this outbox can have it.
  [[nodiscard]] std::optional<storage::OwnedRowId> ParseRowId(std::string_view text) const {
    return storage::OwnedRowId::Parse(text, store->NumbersRows());
  }
};
[[nodiscard]] Result<Outbox> OpenOutbox(const std::string& config_file);

}  // namespace outbox::cli
