#include "cli/commands/version.hpp"

#include <librdkafka/rdkafka.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/version.h>

#include <CLI/CLI.hpp>
#include <boost/version.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/common/allocator.hpp"
#include "cli/common/command.hpp"
#include "commit.h"
#include "outbox/plugin.h"

namespace outbox::cli {

monitoring::Build ThisBuild() { return {OUTBOX_RELAY_VERSION, OUTBOX_RELAY_COMMIT}; }

std::string VersionLine() { return "outbox-relay " OUTBOX_RELAY_VERSION " (commit " OUTBOX_RELAY_COMMIT ")"; }

void AddVersion(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("version", "Tell the version and those of the libraries");
  command->footer("Example:\n  outbox-relay version");
  command->callback([&action] {
    action = [] {
      std::cout << VersionLine() << "\n"
                << fmt::format("plugin ABI     1.{}\n", OUTBOX_ABI_MINOR)
                << fmt::format("librdkafka     {}\n", rd_kafka_version_str())
                << fmt::format("Boost          {}.{}.{}\n", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
                               BOOST_VERSION % 100)
                << fmt::format("nlohmann/json  {}.{}.{}\n", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                               NLOHMANN_JSON_VERSION_PATCH)
                << fmt::format("spdlog         {}.{}.{}\n", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)
                << fmt::format("fmt            {}.{}.{}\n", FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
                               FMT_VERSION % 100)
                << fmt::format("CLI11          {}\n", CLI11_VERSION) << fmt::format("memory         {}\n", Allocator())
                << std::flush;
      return static_cast<int>(kOk);
    };
  });
}

}  // namespace outbox::cli
