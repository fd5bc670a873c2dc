// Parses the command line and runs the command that it names.
#include <array>
#include <exception>

#include "cli/commands/commands.hpp"
#include "cli/commands/version.hpp"
#include "cli/common/command.hpp"
#include "cli/common/output.hpp"
#include "cli/common/signals.hpp"
#include "util/shortage.hpp"

namespace outbox::cli {
namespace {

// The help text lists the commands in this order.
constexpr std::array kCommands{&kRunCommand,     &kCheckCommand,   &kMigrateCommand, &kStatusCommand, &kDeadCommand,
                               &kUnblockCommand, &kExplainCommand, &kFindCommand,    &kEmitCommand,   &kImportCommand,
                               &kPluginsCommand, &kDemoCommand,    &kVersionCommand};

constexpr const char* kAbout =
    "Delivers committed rows of an outbox table to Kafka, at least once and in order per key.\n"
    "\n"
    "Start with:\n"
    "  outbox-relay migrate -c relay.json    create the tables\n"
    "  outbox-relay check -c relay.json      check that everything is in place\n"
    "  outbox-relay run -c relay.json        deliver events until SIGTERM";

constexpr const char* kFooter =
    "OUTBOX_RELAY_CONFIG names the configuration file if --config is not given, OUTBOX_PLUGIN_PATH further plugin\n"
    "folders. Exit codes: 0 = done, 1 = failed, 2 = wrong command line, 75 = temporary shortage on this machine (try\n"
    "again), 78 = wrong configuration, plugin or schema, 141 = the reader of the output closed it (`| head`).\n"
    "Run `outbox-relay COMMAND --help` for a command's options and examples.";

int Run(int argc, char** argv, const sigset_t& mask_at_start) {
  try {
    const ParsedCommandLine parsed = Parse({"outbox-relay", kAbout, kFooter, VersionLine(), kCommands}, argc, argv);
    if (!parsed.action) return parsed.code;
    if (!parsed.stops_cleanly) AllowStopSignals(mask_at_start);
    return parsed.action();
  } catch (const std::exception& error) {
    return Report(StatusOf(error));
  }
}

}  // namespace
}  // namespace outbox::cli

int main(int argc, char** argv) {
  const sigset_t mask_at_start = outbox::cli::PrepareProcess();
  outbox::cli::Output output;
  return output.Finish(outbox::cli::Run(argc, argv, mask_at_start));
}
