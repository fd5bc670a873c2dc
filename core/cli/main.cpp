// Parses the command line and runs the command that it names.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "cli/command.hpp"
#include "cli/version.hpp"
#include "config/document.hpp"

namespace {

// What CLI11 would only call an extra argument.
bool IsUnknownCommand(const CLI::App& app, const std::string& word) {
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == word) return false;
    commands.push_back(command->get_name());
  }
  const std::string nearest = outbox::config::Nearest(word, commands);
  std::cerr << "outbox-relay: no command \"" << word << "\"";
  if (!nearest.empty()) std::cerr << "; did you mean \"" << nearest << "\"?";
  std::cerr << "\nRun with --help for the commands." << std::endl;
  return true;
}

}  // namespace

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
  AddDemo(app, action);
  AddVersion(app, action);
  if (argc > 1 && argv[1][0] != '-' && IsUnknownCommand(app, argv[1])) return kUsage;
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
