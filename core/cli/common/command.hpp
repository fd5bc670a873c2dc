// What the commands share. Each command is a file of its own: it declares its options and what it does.
#pragma once

#include <spdlog/fwd.h>

#include <functional>
#include <memory>
#include <string>

#include "cli/common/exit_code.hpp"
#include "config/config.hpp"
#include "storage/store.hpp"
#include "util/status.hpp"

namespace CLI {
class App;
}

namespace outbox::cli {

// What the parsed command line asks for; returns the exit code.
using Action = std::function<int()>;

void AddRun(CLI::App& app, Action& action);
void AddCheck(CLI::App& app, Action& action);
void AddMigrate(CLI::App& app, Action& action);
void AddPlugins(CLI::App& app, Action& action);
void AddEmit(CLI::App& app, Action& action);
void AddStatus(CLI::App& app, Action& action);
void AddDead(CLI::App& app, Action& action);
void AddUnblock(CLI::App& app, Action& action);
void AddExplain(CLI::App& app, Action& action);
void AddFind(CLI::App& app, Action& action);
void AddDemo(CLI::App& app, Action& action);
void AddVersion(CLI::App& app, Action& action);

// --config FILE, -c FILE or OUTBOX_RELAY_CONFIG.
void AddConfigOption(CLI::App& command, std::string& file);

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

  [[nodiscard]] Call call() const { return {0, 0, config.relay.storage_timeout}; }
};
[[nodiscard]] Result<Outbox> OpenOutbox(const std::string& config_file);

}  // namespace outbox::cli
