// The command line of the program: its commands, their options, and what is wrong with what was typed.
//
// Hides CLI11, whose header takes a compiler more than ten seconds: only command_line.cpp includes it.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming)
class App;
class Option;
}  // namespace CLI

namespace outbox::cli {

// What a parsed command line asks for; returns the exit code.
using Action = std::function<int()>;

// An option of a command, or an argument without a name. The methods return the option, so that they can be chained.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  // Names the value in the help text, such as "FILE". An empty name shows nothing.
  Option& Value(const std::string& name);
  Option& Required();
  Option& Excludes(const Option& other);
  // Takes the value from this variable of the environment if the command line does not have the option.
  Option& Environment(const std::string& variable);
  // Refuses other numbers.
  Option& Between(int min, int max);
  // Refuses other words.
  Option& OneOf(const std::vector<std::string>& words);
  // `check` returns why it refuses a value, or an empty text.
  Option& Check(std::function<std::string(const std::string&)> check);

 private:
  CLI::Option* option_;
};

struct CommandEntry;

// A command while it is declared. What options are bound to must live as long as the action of the command.
class Command {
 public:
  struct State;
  explicit Command(State& state) : state_(state) {}
  Command(const Command&) = delete;

  // `names` is "-c,--config", "--topic", or "EVENT" for an argument without a name. A vector takes many values.
  Option Add(const std::string& names, std::string& value, const std::string& about);
  Option Add(const std::string& names, std::optional<std::string>& value, const std::string& about);
  Option Add(const std::string& names, std::vector<std::string>& values, const std::string& about);
  Option Add(const std::string& names, std::uint32_t& value, const std::string& about);
  Option Add(const std::string& names, std::uint64_t& value, const std::string& about);
  Option Add(const std::string& names, std::optional<std::uint64_t>& value, const std::string& about);
  Option Flag(const std::string& names, bool& value, const std::string& about);

  // --config FILE, -c FILE or OUTBOX_RELAY_CONFIG. A subcommand also takes what its parent was given.
  void Config(std::string& file);
  // Requires one of these after the command, which takes -c for each of them.
  void Subcommands(std::initializer_list<const CommandEntry*> entries);
  // The text below the options in --help.
  void Footer(const std::string& text);

 private:
  State& state_;
};

// A command as its file defines it.
struct CommandEntry {
  const char* name;
  const char* about;
  // Declares the options and returns the action, or none for a command that has subcommands.
  Action (*declare)(Command& command);
  bool stops_cleanly = false;  // true if it handles the signals that ask for a stop itself (signals.hpp)
};

// For CommandEntry::declare: `declare` binds the options, and `run` gets them once they are parsed.
template <class Options, class Run>
[[nodiscard]] Action Bind(Command& command, void (*declare)(Command&, Options&), Run run) {
  auto options = std::make_shared<Options>();
  declare(command, *options);
  return [options, run] { return static_cast<int>(run(*options)); };
}

struct Program {
  std::string name, about, footer, version;
  std::span<const CommandEntry* const> commands;
};

struct ParsedCommandLine {
  Action action;  // none if the command line was refused, or answered by a help text; `code` is the exit code then
  bool stops_cleanly = false;
  int code = 0;
};

// Prints help texts, and on stderr what is wrong with a command line.
[[nodiscard]] ParsedCommandLine Parse(const Program& program, int argc, char** argv);

// The version of CLI11 that this was compiled with, such as "2.1.2".
[[nodiscard]] std::string CommandLineLibraryVersion();

}  // namespace outbox::cli
