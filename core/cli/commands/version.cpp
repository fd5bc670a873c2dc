#include "cli/commands/version.hpp"

#include <librdkafka/rdkafka.h>
#include <spdlog/version.h>

#include <boost/version.hpp>
#include <iostream>

#include "cli/commands/commands.hpp"
#include "cli/common/allocator.hpp"
#include "cli/common/exit_code.hpp"
#include "commit.h"
#include "outbox/plugin.h"
#include "util/format.hpp"
#include "util/json.hpp"

namespace outbox::cli {

monitoring::Build ThisBuild() { return {OUTBOX_RELAY_VERSION, OUTBOX_RELAY_COMMIT}; }

std::string VersionLine() { return "outbox-relay " OUTBOX_RELAY_VERSION " (commit " OUTBOX_RELAY_COMMIT ")"; }

namespace {

int PrintVersions() {
  std::cout << VersionLine() << "\n"
            << fmt::format("plugin ABI     1.{}\n", OUTBOX_ABI_MINOR)
            << fmt::format("librdkafka     {}\n", rd_kafka_version_str())
            << fmt::format("Boost          {}.{}.{}\n", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
                           BOOST_VERSION % 100)
            << fmt::format("nlohmann/json  {}\n", util::JsonLibraryVersion())
            << fmt::format("spdlog         {}.{}.{}\n", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)
            << fmt::format("fmt            {}.{}.{}\n", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)
            << fmt::format("CLI11          {}\n", CommandLineLibraryVersion())
            << fmt::format("memory         {}\n", Allocator()) << std::flush;
  return kOk;
}

Action Declare(Command& command) {
  command.Footer("Example:\n  outbox-relay version");
  return PrintVersions;
}

}  // namespace

constinit const CommandEntry kVersionCommand{"version", "Print the versions of the program and its libraries", Declare};

}  // namespace outbox::cli
