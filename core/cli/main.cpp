// Parses the command line and runs the command that it names.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iostream>

#include "cli/commands/version.hpp"
#include "cli/common/command.hpp"
#include "cli/common/output.hpp"
#include "cli/common/signals.hpp"
#include "config/document.hpp"
#include "util/shortage.hpp"

namespace {

std::string DidYouMean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string nearest = outbox::config::Nearest(word, candidates);
  return nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?";
}

// What CLI11 would only call an extra argument.
bool IsUnknownCommand(const CLI::App& app, const std::string& word) {
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == word) return false;
    commands.push_back(command->get_name());
  }
  std::cerr << "outbox-relay: no command \"" << word << "\"" << DidYouMean(word, commands)
            << "\nRun with --help for the commands." << std::endl;
  return true;
}

// CLI11 says what is wrong with a command line, but not what to type instead.
std::string Explain(const CLI::App* app, const CLI::Error& error) {
  const CLI::App* deepest = app;
  std::string name;
  for (auto chosen = app->get_subcommands(); !chosen.empty(); chosen = deepest->get_subcommands()) {
    deepest = chosen.front();
    name += " " + deepest->get_name();
  }
  const CLI::App& command = *deepest;
  std::vector<std::string> below;
  for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; }))
    below.push_back(one->get_name());
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options()) options.push_back(option->get_name());
  const bool takes_config = std::find(options.begin(), options.end(), "--config") != options.end();

  std::string text = error.what();
  const std::vector<std::string> extra = app->remaining(/*recurse=*/true);
  const auto is = [&](CLI::ExitCodes code) { return error.get_exit_code() == static_cast<int>(code); };
  if (!below.empty() && deepest != app && (is(CLI::ExitCodes::ExtrasError) || is(CLI::ExitCodes::RequiredError))) {
    text = extra.empty() ? "say what to do:" : "no command \"" + extra.front() + "\" here; there are";
    for (const std::string& one : below) text += (one == below.front() ? " " : ", ") + one;
  } else if (is(CLI::ExitCodes::ExtrasError) && !extra.empty()) {
    const auto option =
        std::find_if(extra.begin(), extra.end(), [](const auto& word) { return word.starts_with("-"); });
    if (option != extra.end()) {
      text = "no option " + *option + DidYouMean(*option, options);
    } else {
      text = "\"" + extra.front() + "\" is one word too many";
      if (takes_config) text += "; a configuration is named with -c " + extra.front();
    }
  } else if (is(CLI::ExitCodes::ArgumentMismatch) && takes_config && command.count("--config") > 1) {
    text = "--config is there " + std::to_string(command.count("--config")) + " times; a relay has one configuration";
  }
  return "outbox-relay" + name + ": " + text + "\nRun with --help for more.\n";
}

int Run(int argc, char** argv, const sigset_t& mask_at_start) {
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
      "Exit codes: 0 = done, 1 = failed, 2 = wrong command line, 75 = a shortage of this machine, try again,\n"
      "78 = wrong configuration, plugin or schema, 141 = the reader of the output has gone (`| head`).\n"
      "`outbox-relay COMMAND --help` shows a command's options and examples.");

  Action action;
  AddRun(app, action);
  AddCheck(app, action);
  AddMigrate(app, action);
  AddStatus(app, action);
  AddDead(app, action);
  AddUnblock(app, action);
  AddExplain(app, action);
  AddFind(app, action);
  AddEmit(app, action);
  AddPlugins(app, action);
  AddDemo(app, action);
  AddVersion(app, action);
  app.failure_message(Explain);
  if (argc == 1) {
    std::cerr << app.help();
    return kUsage;
  }
  if (argc > 1 && argv[1][0] != '-' && IsUnknownCommand(app, argv[1])) return kUsage;
  try {
    app.parse(argc, argv);
    // These two stop cleanly, from their first moment on.
    if (!app.got_subcommand("run") && !app.got_subcommand("demo")) AllowStopSignals(mask_at_start);
    return action();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  } catch (const std::exception& error) {
    return Report(outbox::StatusOf(error));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const sigset_t mask_at_start = outbox::cli::PrepareProcess();
  outbox::cli::Output output;
  return output.Finish(Run(argc, argv, mask_at_start));
}
