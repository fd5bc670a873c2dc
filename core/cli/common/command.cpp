#include "cli/common/command.hpp"

#include <iostream>

#include "cli/common/shaping.hpp"
#include "config/load.hpp"
#include "config/secrets.hpp"
#include "kafka/property_policy.hpp"
#include "monitoring/log.hpp"
#include "storage/loader.hpp"
#include "util/shortage.hpp"

namespace outbox::cli {

int CodeOf(const Status& status) {
  if (status.ok()) return kOk;
  if (status.code() == kShortage) return kTempFail;
  return status.code() == OUTBOX_BAD_CONFIG ? kConfig : kFailure;
}

int Report(const Status& status) {
  if (!status.ok()) std::cerr << "outbox-relay: " << config::Redact(status.text()) << std::endl;
  return CodeOf(status);
}

Result<config::Config> LoadConfig(const std::string& file) {
  if (file.empty()) {
    return Status(OUTBOX_BAD_CONFIG, "no configuration; name it with --config FILE or in OUTBOX_RELAY_CONFIG");
  }
  return config::Load(file, kafka::GetPropertyPolicy());
}

Result<std::shared_ptr<storage::Store>> OpenStore(const config::Config& config,
                                                  std::shared_ptr<spdlog::logger> logger) {
  const config::Storage& storage = config.storage;
  const auto table =
      storage::Load(storage.plugin, storage::DefaultSearchPath(storage.plugin_path, config.plugins.trusted_owners));
  if (!table.ok()) return table.status();
  return storage::Store::Open(*table, storage.options, std::move(logger), storage.secrets);
}

std::shared_ptr<spdlog::logger> QuietLogger(const config::Log& log) {
  config::Log quiet = log;
  if (log.level == "trace" || log.level == "debug" || log.level == "info") quiet.level = "warn";
  return monitoring::MakeLogger(quiet);
}

Result<Outbox> OpenOutbox(const std::string& config_file) {
  auto config = LoadConfig(config_file);
  if (!config.ok()) return config.status();
  auto store = OpenStore(*config, QuietLogger(config->log));
  if (!store.ok()) return store.status();
  Outbox outbox{std::move(*config), std::move(*store), nullptr, nullptr, std::nullopt};
  auto session = outbox.store->Connect(outbox.call());
  if (!session.ok()) return session.status();
  outbox.session = std::move(*session);
  if (const auto columns = outbox.session->DescribeColumns(outbox.call()); columns.ok()) {
    if (auto shaper = MakeShaper(outbox.config, *columns); shaper.ok()) outbox.shaper = std::move(*shaper);
    for (std::size_t i = 0; i < columns->size(); ++i)
      if ((*columns)[i].role == OUTBOX_ROLE_ID) outbox.id_column = i;
  }
  return outbox;
}

}  // namespace outbox::cli
