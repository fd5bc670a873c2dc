#include "cli/common/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "cli/common/exit_code.hpp"
#include "config/document.hpp"

namespace outbox::cli {

struct Command::State {
  CLI::App& app;
  ParsedCommandLine& parsed;
  std::shared_ptr<std::string> parent_config;  // The configuration file that was given before the subcommand.
  std::string* config = nullptr;               // The variable that receives this command's configuration file.
};

namespace {

void AddCommand(CLI::App& parent, const CommandEntry& entry, ParsedCommandLine& parsed,
                const std::shared_ptr<std::string>& parent_config) {
  Command::State state{*parent.add_subcommand(entry.name, entry.about), parsed, parent_config};
  Command command(state);
  Action action = entry.declare(command);
  if (!action) return;
  state.app.callback([&parsed, &entry, action = std::move(action), parent_config, config = state.config] {
    if (config != nullptr && parent_config && !parent_config->empty()) *config = *parent_config;
    parsed.action = action;
    parsed.stops_cleanly = entry.stops_cleanly;
  });
}

std::string DidYouMean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string nearest = config::Nearest(word, candidates);
  return nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?";
}

std::vector<std::string> Subcommands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* one : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(one->get_name());
  return names;
}

// Returns false if `word` is a command. Otherwise reports the unknown command on stderr and returns true, because
// CLI11's own message only calls the word an extra argument.
bool IsUnknownCommand(const CLI::App& app, const std::string& word) {
  const std::vector<std::string> commands = Subcommands(app);
  if (std::find(commands.begin(), commands.end(), word) != commands.end()) return false;
  std::cerr << "outbox-relay: unknown command \"" << word << "\"" << DidYouMean(word, commands)
            << "\nRun with --help for the commands." << std::endl;
  return true;
}

// Returns the error message for a wrong command line. CLI11's own messages do not say what to type instead.
std::string Explain(const CLI::App* app, const CLI::Error& error) {
  const CLI::App* deepest = app;
  std::string name;
  for (auto chosen = app->get_subcommands(); !chosen.empty(); chosen = deepest->get_subcommands()) {
    deepest = chosen.front();
    name += " " + deepest->get_name();
  }
  const CLI::App& command = *deepest;
  const std::vector<std::string> below = Subcommands(command);
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options()) options.push_back(option->get_name());
  const bool takes_config = std::find(options.begin(), options.end(), "--config") != options.end();

  std::string text = error.what();
  const std::vector<std::string> extra = app->remaining(/*recurse=*/true);
  const auto is = [&](CLI::ExitCodes code) { return error.get_exit_code() == static_cast<int>(code); };
  if (!below.empty() && deepest != app && (is(CLI::ExitCodes::ExtrasError) || is(CLI::ExitCodes::RequiredError))) {
    text =
        (extra.empty() ? "missing subcommand" : "unknown subcommand \"" + extra.front() + "\"") + "; expected one of";
    for (const std::string& one : below) text += (one == below.front() ? " " : ", ") + one;
  } else if (is(CLI::ExitCodes::ExtrasError) && !extra.empty()) {
    const auto option =
        std::find_if(extra.begin(), extra.end(), [](const auto& word) { return word.starts_with("-"); });
    if (option != extra.end()) {
      text = "unknown option " + *option + DidYouMean(*option, options);
    } else {
      text = "unexpected argument \"" + extra.front() + "\"";
      if (takes_config) text += "; to name a configuration file, give -c " + extra.front();
    }
  } else if (is(CLI::ExitCodes::ArgumentMismatch) && takes_config && command.count("--config") > 1) {
    text = "--config may be given only once";
  }
  return "outbox-relay" + name + ": " + text + "\nRun with --help for more.\n";
}

}  // namespace

Option& Option::Value(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::Required() {
  option_->required();
  return *this;
}

Option& Option::Excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::Environment(const std::string& variable) {
  option_->envname(variable);
  return *this;
}

Option& Option::Between(int min, int max) {
  option_->check(CLI::Range(min, max));
  return *this;
}

Option& Option::OneOf(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}

Option& Option::Check(std::function<std::string(const std::string&)> check) {
  option_->check(std::move(check));
  return *this;
}

Option Command::Add(const std::string& names, std::string& value, const std::string& about) {
  return Option(*state_.app.add_option(names, value, about));
}

Option Command::Add(const std::string& names, std::optional<std::string>& value, const std::string& about) {
  return Option(*state_.app.add_option(names, value, about));
}

Option Command::Add(const std::string& names, std::vector<std::string>& values, const std::string& about) {
  return Option(*state_.app.add_option(names, values, about));
}

Option Command::Add(const std::string& names, std::uint32_t& value, const std::string& about) {
  return Option(*state_.app.add_option(names, value, about));
}

Option Command::Add(const std::string& names, std::uint64_t& value, const std::string& about) {
  return Option(*state_.app.add_option(names, value, about));
}

Option Command::Add(const std::string& names, std::optional<std::uint64_t>& value, const std::string& about) {
  return Option(*state_.app.add_option(names, value, about));
}

Option Command::Flag(const std::string& names, bool& value, const std::string& about) {
  return Option(*state_.app.add_flag(names, value, about));
}

void Command::Config(std::string& file) {
  state_.config = &file;
  Add("-c,--config", file, "Configuration file (docs/guide/outbox-relay.reference.jsonc has every key)")
      .Environment("OUTBOX_RELAY_CONFIG")
      .Value("FILE");
}

void Command::Subcommands(std::initializer_list<const CommandEntry*> entries) {
  const auto config = std::make_shared<std::string>();
  state_.app.require_subcommand(1);
  Add("-c,--config", *config, "Configuration file, the same as -c after one of the subcommands below").Value("FILE");
  for (const CommandEntry* entry : entries) AddCommand(state_.app, *entry, state_.parsed, config);
}

void Command::Footer(const std::string& text) { state_.app.footer(text); }

ParsedCommandLine Parse(const Program& program, int argc, char** argv) {
  CLI::App app(program.about, program.name);
  app.set_version_flag("--version", program.version);
  app.require_subcommand(1);
  app.footer(program.footer);
  ParsedCommandLine parsed;
  for (const CommandEntry* entry : program.commands) AddCommand(app, *entry, parsed, nullptr);
  app.failure_message(Explain);
  if (argc == 1) {
    std::cerr << app.help();
    parsed.code = kUsage;
    return parsed;
  }
  if (argc > 1 && argv[1][0] != '-' && IsUnknownCommand(app, argv[1])) {
    parsed.code = kUsage;
    return parsed;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.action = nullptr;  // The callback of a subcommand that precedes the error may have set the action.
    parsed.code = app.exit(error) == 0 ? kOk : kUsage;
  }
  return parsed;
}

std::string CommandLineLibraryVersion() { return CLI11_VERSION; }

}  // namespace outbox::cli
