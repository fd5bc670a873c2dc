// Parses the command line and runs the command that it names.
#include <exception>
#include <iostream>

#include "cli/command.hpp"
#include "cli/version.hpp"

int main(int argc, char** argv) {
  using namespace outbox::cli;
  CLI::App app(
      "Moves committed rows of an outbox table to Kafka: none lost, none made up, in order per key.\n"
      "\n"
      "Start with:\n"
      "  outbox-relay migrate -c relay.json    make the tables\n"
      "  outbox-relay check -c relay.json      is everything in place?\n"
      "  outbox-relay run -c relay.json        move events until SIGTERM",
      "outbox-relay");
  app.set_version_flag("--version", VersionLine());
  app.require_subcommand(1);
  app.footer(
      "OUTBOX_RELAY_CONFIG names the configuration where --config does not, OUTBOX_PLUGIN_PATH more plugin folders.\n"
      "Exit codes: 0 = done, 1 = failed, 2 = wrong command line, 78 = wrong configuration, plugin or schema.\n"
      "`outbox-relay COMMAND --help` shows a command's options and examples.");

  Action action;
  AddRun(app, action);
  AddCheck(app, action);
  AddMigrate(app, action);
  AddStatus(app, action);
  AddEmit(app, action);
  AddPlugins(app, action);
  AddVersion(app, action);
  try {
    app.parse(argc, argv);
    return action();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  } catch (const std::exception& error) {
    std::cerr << "outbox-relay: " << error.what() << std::endl;
    return kFailure;
  }
}
